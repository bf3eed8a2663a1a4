//! What the machine does: one reading of it, and what has happened between two.

use std::collections::BTreeMap;
use std::path::Path;

use benchbook_process::Process;
use serde::Serialize;

use crate::environment::{MemInfo, Root};

/// Counters at one moment; two of them make a [`Usage`](super::Usage).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// Load average of the last minute.
    pub(super) load: Option<f64>,
    /// Ticks of all CPUs together.
    pub(super) cpus: Option<CpuTicks>,
    /// Each process, by its number.
    pub(super) processes: BTreeMap<u32, Process>,
    /// The process that reads.
    pub(super) own: Option<u32>,
    /// Memory and swap.
    pub(super) memory: MemInfo,
}

/// CPU time since the machine started, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CpuTicks {
    pub busy: u64,
    pub steal: u64,
    pub total: u64,
}

impl Activity {
    /// Reads `proc` below a root folder (`/`); what cannot be read is left empty.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let root = Root(root);
        let load = root.text("proc/loadavg");
        Self {
            load: load.and_then(|text| text.split_whitespace().next()?.parse().ok()),
            cpus: root.text("proc/stat").as_deref().and_then(cpu_ticks),
            processes: Process::all(root.0),
            own: root.text("proc/self/stat").and_then(|text| text.split_whitespace().next()?.parse().ok()),
            memory: MemInfo::read(root),
        }
    }

    /// Whether a process is the one that reads, or was started by it.
    pub(super) fn is_own(&self, mut id: u32) -> bool {
        // A chain of parents longer than the list of processes would be a circle.
        for _ in 0..=self.processes.len() {
            if Some(id) == self.own {
                return true;
            }
            match self.processes.get(&id) {
                Some(process) if process.parent != 0 => id = process.parent,
                _ => return false,
            }
        }
        false
    }
}

/// The line `cpu` of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, …
fn cpu_ticks(text: &str) -> Option<CpuTicks> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
    if ticks.len() < 4 {
        return None;
    }
    let busy = [0, 1, 2, 5, 6].iter().fold(0_u64, |sum, &index| sum.saturating_add(at(index)));
    let steal = at(7);
    let waiting = at(3).saturating_add(at(4));
    Some(CpuTicks { busy, steal, total: busy.saturating_add(waiting).saturating_add(steal) })
}

/// Readings closer than this say little: CPU time is counted in ticks of 10 ms.
pub const SHORTEST_INTERVAL_NS: i64 = 200_000_000;

/// Ticks in a second of the counters in `/proc` (`USER_HZ`): fixed at 100 on every architecture in use.
const TICKS_PER_SECOND: f64 = 100.0;

/// Fewer ticks than this may be chance.
const FEWEST_TICKS: u64 = 3;

/// How busy the machine was, without this process and those it started.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Load average of the last minute; nothing if unknown.
    pub load: Option<f64>,
    /// Other processes that used CPU time, the busiest first.
    pub busy: Vec<BusyProcess>,
    /// CPUs kept busy by processes that cannot be seen, or that came and went; nothing if unknown.
    pub hidden_cpus: Option<f64>,
    /// Share of the CPU time that the hypervisor took away (0 to 1); nothing if unknown.
    pub steal: Option<f64>,
    /// Memory and swap at the later reading.
    pub(super) memory: MemInfo,
}

/// A process that used CPU time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BusyProcess {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// CPUs that it kept busy.
    pub cpus: f64,
}

impl Usage {
    /// The difference of two readings, `interval_ns` nanoseconds apart; nothing if they are closer
    /// than [`SHORTEST_INTERVAL_NS`].
    #[must_use]
    pub fn between(before: &Activity, after: &Activity, interval_ns: i64) -> Option<Self> {
        if interval_ns < SHORTEST_INTERVAL_NS {
            return None;
        }
        let ticks = interval_ns as f64 / 1e9 * TICKS_PER_SECOND;
        let mut visible = 0_u64;
        let mut busy = Vec::new();
        for (&id, process) in &after.processes {
            let earlier = before.processes.get(&id).filter(|earlier| earlier.started == process.started);
            // A process that began in between spent all its time in between.
            let used = process.ticks.saturating_sub(earlier.map_or(0, |earlier| earlier.ticks));
            visible = visible.saturating_add(used);
            if used >= FEWEST_TICKS && !after.is_own(id) {
                busy.push(BusyProcess { id, name: process.name.clone(), cpus: used as f64 / ticks });
            }
        }
        busy.sort_by(|a, b| b.cpus.total_cmp(&a.cpus));
        let cpus = before.cpus.zip(after.cpus);
        Some(Self {
            load: after.load,
            busy,
            hidden_cpus: cpus
                .map(|(before, after)| after.busy.saturating_sub(before.busy).saturating_sub(visible) as f64 / ticks),
            steal: cpus.and_then(|(before, after)| {
                let total = after.total.checked_sub(before.total).filter(|&total| total > 0)?;
                Some(after.steal.saturating_sub(before.steal) as f64 / total as f64)
            }),
            memory: after.memory.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::planted::Tree;

    #[test]
    fn guests_are_not_counted_twice_and_old_kernels_have_no_steal() {
        let ticks = cpu_ticks("cpu  10 1 5 100 4 2 1 7 10 1\ncpu0 1\n").expect("ticks");
        assert_eq!(ticks, CpuTicks { busy: 19, steal: 7, total: 130 });
        assert_eq!(cpu_ticks("cpu  1 2 3 4"), Some(CpuTicks { busy: 6, steal: 0, total: 10 }));
        assert_eq!(cpu_ticks("cpu  1 2 x 4"), None);
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let tree = Tree::new()
            .file("proc/self/stat", "1 (x) S 0")
            .file("proc/8/stat", "8 (a) S 9 0 0 0 0 0 0 0 0 0 1 1 0 0 0 0 0 0 5")
            .file("proc/9/stat", "9 (b) S 8 0 0 0 0 0 0 0 0 0 1 1 0 0 0 0 0 0 5");
        let activity = Activity::read(tree.path());
        assert_eq!(activity.processes.len(), 2);
        assert!(!activity.is_own(8));
        assert!(activity.is_own(1));
    }

    #[test]
    fn an_empty_tree_has_no_activity() {
        assert_eq!(Activity::read(Tree::new().path()), Activity::default());
    }

    fn stat(id: u32, name: &str, parent: u32, ticks: u64, started: u64) -> String {
        format!("{id} ({name}) R {parent} 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 0 0 0 0 {started}")
    }

    fn reading(cpu: &str, processes: &[(u32, &str, u32, u64, u64)]) -> Activity {
        let mut tree = Tree::new()
            .file("proc/loadavg", "0.50 0.40 0.30 1/100 4242\n")
            .file("proc/stat", cpu)
            .file("proc/self/stat", "50 (benchbook) R 1");
        for &(id, name, parent, ticks, started) in processes {
            tree = tree.file(&format!("proc/{id}/stat"), &stat(id, name, parent, ticks, started));
        }
        Activity::read(tree.path())
    }

    #[test]
    fn the_busy_are_found_and_this_process_is_not_counted() {
        let before = reading(
            "cpu  0 0 0 1000 0 0 0 0",
            &[(7, "chrome", 1, 100, 5), (8, "idle", 1, 10, 5), (9, "old", 1, 500, 5), (50, "benchbook", 1, 3, 9)],
        );
        let after = reading(
            "cpu  200 0 0 1150 0 0 0 50",
            &[
                (7, "chrome", 1, 150, 5),
                (8, "idle", 1, 12, 5),
                (9, "new", 1, 20, 77),
                (50, "benchbook", 1, 43, 9),
                (51, "benchbook-worker", 50, 60, 90),
            ],
        );
        let usage = Usage::between(&before, &after, 1_000_000_000).expect("a usage");
        let busy: Vec<(&str, f64)> = usage.busy.iter().map(|p| (p.name.as_str(), p.cpus)).collect();
        assert_eq!(busy, [("chrome", 0.5), ("new", 0.2)]);
        assert_eq!(usage.load, Some(0.5));
        assert_eq!(usage.steal, Some(0.125));
        // 200 busy ticks, of which 50 + 2 + 20 + 40 + 60 have an owner.
        assert_eq!(usage.hidden_cpus, Some(0.28));
    }

    #[test]
    fn readings_that_are_too_close_or_the_wrong_way_round_say_nothing() {
        let reading = reading("cpu  1 1 1 1", &[]);
        for interval_ns in [i64::MIN, -1, 0, SHORTEST_INTERVAL_NS - 1] {
            assert_eq!(Usage::between(&reading, &reading, interval_ns), None);
        }
        let same = Usage::between(&reading, &reading, SHORTEST_INTERVAL_NS).expect("a usage");
        assert_eq!((same.steal, same.hidden_cpus), (None, Some(0.0)), "no tick passed");
    }

    #[test]
    fn counters_that_run_backwards_do_no_harm() {
        let before = reading("cpu  100 0 0 1000 0 0 0 90", &[(7, "a", 1, 100, 5)]);
        let after = reading("cpu  50 0 0 900 0 0 0 10", &[(7, "a", 1, 10, 5)]);
        let usage = Usage::between(&before, &after, 1_000_000_000).expect("a usage");
        assert_eq!((usage.steal, usage.hidden_cpus, usage.busy.len()), (None, Some(0.0), 0));
    }
}
