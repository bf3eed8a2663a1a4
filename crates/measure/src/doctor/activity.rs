//! One reading of what the machine is doing.

use std::collections::BTreeMap;
use std::path::Path;

use benchbook_process::Process;

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
}
