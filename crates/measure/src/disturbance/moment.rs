//! What the system counts, at one moment.

use std::path::Path;

use benchbook_core::message::Ran;
use benchbook_process::Process;
use nix::sched::sched_getcpu;

use crate::environment::Root;
use crate::link::Caller;

/// Nanoseconds of a tick of `/proc/stat`: USER_HZ is 100 on every Linux.
pub(crate) const TICK_NS: u64 = 10_000_000;

/// The state of the machine at one moment; what it does not tell is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Where the thread that makes the calls runs, or ran last.
    pub(super) cpu: Option<usize>,
    /// How long that thread waited for a processor: threads of a pool wait for each other too.
    pub(super) waited_ns: Option<u64>,
    /// How often it had to give way to something else.
    pub(super) gave_way: Option<u64>,
    pub(super) busy_ticks: Option<u64>,
    pub(super) stolen_ticks: Option<u64>,
    pub(super) throttled: Option<u64>,
}

impl Moment {
    /// The state now. Read it outside of what is timed.
    #[must_use]
    pub fn now(caller: Caller) -> Self {
        Self::read(Root(Path::new("/")), caller, None)
    }

    /// The state now, beside this one: heat is that of the same processor, wherever the thread has woken up since.
    pub(super) fn later(&self, caller: Caller) -> Self {
        Self::read(Root(Path::new("/")), caller, self.cpu)
    }

    fn read(root: Root<'_>, caller: Caller, heated: Option<usize>) -> Self {
        let thread = format!("proc/{}/task/{}", caller.process, caller.thread);
        let cpu = Process::at(root.0, &format!("{thread}/stat")).and_then(|found| found.processor);
        let ticks: Vec<u64> = root.text("proc/stat").as_deref().map(ticks).unwrap_or_default();
        Self {
            cpu,
            waited_ns: root.text(&format!("{thread}/schedstat")).as_deref().and_then(second),
            gave_way: root.text(&format!("{thread}/status")).as_deref().and_then(gave_way),
            busy_ticks: (ticks.len() > 7).then(|| BUSY.iter().filter_map(|place| ticks.get(*place)).sum()),
            stolen_ticks: ticks.get(STEAL).copied(),
            throttled: heated.or(cpu).and_then(|cpu| throttled(root, cpu)),
        }
    }

    /// Names of what this machine tells, for the record.
    #[must_use]
    pub fn sources(&self) -> Vec<&'static str> {
        let known = [
            (self.waited_ns.is_some(), "time waited for a processor"),
            (self.busy_ticks.is_some(), "load by others"),
            (self.stolen_ticks.is_some(), "steal"),
            (self.throttled.is_some(), "thermal throttling"),
            (self.cpu.is_some(), "migration"),
        ];
        known.into_iter().filter_map(|(known, name)| known.then_some(name)).collect()
    }
}

/// What the thread that makes calls sees of itself, read right before and right after them: from outside one also sees what
/// happens where it wakes up and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    cpu: Option<usize>,
    waited_ns: Option<u64>,
    throttled: Option<u64>,
}

impl Own {
    /// What it sees now. Read it outside of what is timed.
    pub fn now() -> Self {
        let cpu = sched_getcpu().ok();
        Self::read(Root(Path::new("/")), cpu, cpu)
    }

    fn read(root: Root<'_>, cpu: Option<usize>, heated: Option<usize>) -> Self {
        let waited_ns = root.text("proc/thread-self/schedstat").as_deref().and_then(second);
        Self { cpu, waited_ns, throttled: heated.and_then(|cpu| throttled(root, cpu)) }
    }

    /// Calls, with what the thread has seen from this moment until now.
    pub fn tell(&self, ran: Ran) -> Ran {
        self.told(&Self::read(Root(Path::new("/")), sched_getcpu().ok(), self.cpu), ran)
    }

    fn told(&self, later: &Self, ran: Ran) -> Ran {
        let growth = |now: Option<u64>, then: Option<u64>| now.zip(then).map(|_| grown(now, then));
        Ran {
            waited_ns: growth(later.waited_ns, self.waited_ns),
            cpu_before: self.cpu,
            cpu_after: later.cpu,
            throttled: growth(later.throttled, self.throttled),
            ..ran
        }
    }
}

/// How much a counter has grown; nothing where it is not told.
pub(super) fn grown(now: Option<u64>, then: Option<u64>) -> u64 {
    now.zip(then).map_or(0, |(now, then)| now.saturating_sub(then))
}

/// Busy time of the whole machine between two moments.
pub(super) fn busy_ns(before: &Moment, after: &Moment) -> f64 {
    (grown(after.busy_ticks, before.busy_ticks) * TICK_NS) as f64
}

/// Places of user, nice, system, irq and softirq in the line `cpu`, see proc_stat(5).
const BUSY: [usize; 5] = [0, 1, 2, 5, 6];
/// Place of steal.
const STEAL: usize = 7;

/// The numbers of the line `cpu`.
fn ticks(stat: &str) -> Vec<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    line.split_whitespace().map_while(|word| word.parse().ok()).collect()
}

/// The second number of `schedstat`: time on a run queue (Linux, Documentation/scheduler/sched-stats).
pub(super) fn second(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

/// How often a thread had to give way, in its `status` (proc_pid_status(5)).
fn gave_way(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?.trim().parse().ok()
}

/// How often a processor and its package have slowed down for heat.
fn throttled(root: Root<'_>, cpu: usize) -> Option<u64> {
    let count = |name: &str| root.number::<u64>(&format!("sys/devices/system/cpu/cpu{cpu}/thermal_throttle/{name}"));
    match (count("core_throttle_count"), count("package_throttle_count")) {
        (None, None) => None,
        (core, package) => Some(core.unwrap_or(0) + package.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::planted::Tree;

    #[test]
    fn the_systems_files_are_read() {
        let stat = format!("5 (a) S 4{} 7{} 3 0\n", " 0".repeat(17), " 0".repeat(16));
        let status = "Name:\ta\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t6\n";
        let heat =
            |cpu: usize, of: &str| format!("sys/devices/system/cpu/cpu{cpu}/thermal_throttle/{of}_throttle_count");
        let tree = Tree::new()
            .file("proc/4/task/5/schedstat", "90 42 3\n")
            .file("proc/4/task/5/status", status)
            .file("proc/4/task/5/stat", &stat)
            .file("proc/stat", "cpu  1 2 3 4 5 6 7 88 9 10\ncpu0 0 0 0 0 0 0 0 1 0 0\n")
            .file(&heat(3, "core"), "4\n")
            .file(&heat(2, "package"), "8\n");
        let (root, caller) = (Root(tree.path()), Caller { process: 4, thread: 5 });
        let read = Moment::read(root, caller, None);
        let expected = Moment {
            cpu: Some(3),
            waited_ns: Some(42),
            gave_way: Some(6),
            busy_ticks: Some(1 + 2 + 3 + 6 + 7),
            stolen_ticks: Some(88),
            throttled: Some(4),
        };
        assert_eq!(read, expected);
        assert_eq!(read.sources().len(), 5);
        let beside = Moment::read(root, caller, Some(2));
        assert_eq!(beside, Moment { throttled: Some(8), ..expected }, "a counter of another processor is no measure");
    }

    #[test]
    fn a_thread_tells_what_it_has_seen_of_itself() {
        let of = |waited: &str, heat: &str| {
            Tree::new()
                .file("proc/thread-self/schedstat", waited)
                .file("sys/devices/system/cpu/cpu3/thermal_throttle/core_throttle_count", heat)
        };
        let (then, now) = (of("90 42 3\n", "4\n"), of("95 50 4\n", "6\n"));
        let earlier = Own::read(Root(then.path()), Some(3), Some(3));
        let told = earlier.told(&Own::read(Root(now.path()), Some(2), Some(3)), Ran::default());
        let wanted =
            Ran { waited_ns: Some(8), cpu_before: Some(3), cpu_after: Some(2), throttled: Some(2), ..Ran::default() };
        assert_eq!(told, wanted);
        let silent = Own::read(Root(Path::new("/no/such/root")), None, None);
        assert_eq!(silent.told(&earlier, Ran::default()), Ran { cpu_after: Some(3), ..Ran::default() });
    }

    #[test]
    fn what_is_not_told_is_nothing() {
        let silent = Moment::read(Root(Path::new("/no/such/root")), Caller { process: 4, thread: 5 }, None);
        assert!(silent.sources().is_empty());
        assert_eq!((busy_ns(&silent, &silent), grown(silent.waited_ns, Some(1))), (0.0, 0));
    }
}
