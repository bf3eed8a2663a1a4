//! What else the machine did while a sample was taken.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use benchbook_core::message::{Disturbance, Sampled};
use nix::sched::sched_getcpu;

use crate::clock;

/// Share of a sample that a single thread may wait for a processor before the sample is spoilt.
const MOST_WAITING: f64 = 0.02;

/// Nanoseconds of a tick of `/proc/stat`: USER_HZ is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;

/// Busy time over which load is judged: ticks are coarse, forty of them tell a third from a half.
const WINDOW_NS: u64 = 40 * TICK_NS;

/// Share of the busy time that must be the kernel's own.
const LEAST_OWN: f64 = 0.65;

/// The state of the machine at one moment; what it does not tell is nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    cpu: Option<usize>,
    waited_ns: Option<u64>,
    busy_ticks: Option<u64>,
    stolen_ticks: Option<u64>,
    throttled: Option<u64>,
}

impl Moment {
    /// The state now. Read it outside of what is timed.
    #[must_use]
    pub fn now() -> Self {
        Self::read(Path::new("/"), sched_getcpu().ok())
    }

    fn read(root: &Path, cpu: Option<usize>) -> Self {
        let stat = fs::read_to_string(root.join("proc/stat")).ok();
        let ticks: Vec<u64> = stat.as_deref().map(ticks).unwrap_or_default();
        Self {
            cpu,
            // Of the measuring thread: threads of a pool wait for each other too.
            waited_ns: fs::read_to_string(root.join("proc/thread-self/schedstat")).ok().and_then(|text| second(&text)),
            busy_ticks: (ticks.len() > 7).then(|| BUSY.iter().filter_map(|place| ticks.get(*place)).sum()),
            stolen_ticks: ticks.get(STEAL).copied(),
            throttled: cpu.and_then(|cpu| throttled(&root.join(format!("sys/devices/system/cpu/cpu{cpu}")))),
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

/// Watches the samples of one trial.
///
/// One thread says exactly how long it waited. The threads of a pool wait for each other and yield, so with
/// several, what other programs took is judged over the last samples together.
#[derive(Debug)]
pub struct Watch {
    threads: usize,
    /// Processes that compute for this one.
    processes: Vec<u32>,
    /// Busy time of the machine and of this process in the last samples, in nanoseconds.
    window: VecDeque<(u64, u64)>,
}

impl Watch {
    /// A watch over samples of `threads` threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads, processes: Vec::new(), window: VecDeque::new() }
    }

    /// The same where other processes compute too: their processor time is the sample's own, counted as user time.
    #[must_use]
    pub fn with_processes(self, processes: Vec<u32>) -> Self {
        Self { processes, ..self }
    }

    /// Takes a sample and says in it what disturbed it.
    pub fn take(&mut self, sample: impl FnOnce() -> Sampled) -> Sampled {
        let (before, theirs) = (Moment::now(), clock::cpu_ns_of(&self.processes));
        let mut sampled = sample();
        sampled.cpu_user_ns += (clock::cpu_ns_of(&self.processes) - theirs).max(0);
        Sampled { disturbed: self.judge(&before, &Moment::now(), &sampled), ..sampled }
    }

    /// What has happened between two moments that spoils the sample; the gravest, where there are several.
    fn judge(&mut self, before: &Moment, after: &Moment, sampled: &Sampled) -> Option<Disturbance> {
        let grown =
            |now: Option<u64>, then: Option<u64>| now.zip(then).map_or(0, |(now, then)| now.saturating_sub(then));
        let moved = matches!((before.cpu, after.cpu), (Some(then), Some(now)) if then != now);
        let waited = grown(after.waited_ns, before.waited_ns) as f64;
        let loaded = self.loaded(grown(after.busy_ticks, before.busy_ticks) * TICK_NS, sampled);
        // Counters of another processor are no measure of this one.
        if !moved && grown(after.throttled, before.throttled) > 0 {
            Some(Disturbance::Throttled)
        } else if grown(after.stolen_ticks, before.stolen_ticks) > 0 {
            Some(Disturbance::Stolen)
        } else if self.threads == 1 && waited > MOST_WAITING * sampled.elapsed_ns as f64 {
            Some(Disturbance::Preempted)
        } else if loaded {
            Some(Disturbance::Loaded)
        } else {
            // A pool goes on wherever its caller runs.
            (moved && self.threads == 1).then_some(Disturbance::Migrated)
        }
    }

    /// Whether others had a good part of the processors in the last samples; a single thread says so itself.
    fn loaded(&mut self, busy_ns: u64, sampled: &Sampled) -> bool {
        if self.threads == 1 {
            return false;
        }
        let own_ns = (sampled.cpu_user_ns + sampled.cpu_system_ns).max(0).cast_unsigned();
        self.window.push_back((busy_ns, own_ns));
        let sums =
            |window: &VecDeque<(u64, u64)>| window.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let (busy, own) = sums(&self.window);
        while self.window.front().is_some_and(|first| sums(&self.window).0 - first.0 >= WINDOW_NS) {
            self.window.pop_front();
        }
        busy >= WINDOW_NS && (own as f64) < LEAST_OWN * busy as f64
    }
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
fn second(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

/// How often a processor and its package have slowed down for heat.
fn throttled(cpu: &Path) -> Option<u64> {
    let count = |name: &str| -> Option<u64> {
        fs::read_to_string(cpu.join("thermal_throttle").join(name)).ok()?.trim().parse().ok()
    };
    match (count("core_throttle_count"), count("package_throttle_count")) {
        (None, None) => None,
        (core, package) => Some(core.unwrap_or(0) + package.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Moment =
        Moment { cpu: Some(1), waited_ns: Some(100), busy_ticks: Some(9), stolen_ticks: Some(5), throttled: Some(2) };
    const SAMPLE: Sampled = Sampled {
        iterations: 1,
        elapsed_ns: 1_000_000,
        started_ns: 0,
        cpu_user_ns: 1_000_000,
        cpu_system_ns: 0,
        disturbed: None,
    };

    #[test]
    fn each_disturbance_is_named_and_the_gravest_first() {
        let since = |later: Moment| Watch::new(1).judge(&CALM, &later, &SAMPLE);
        assert_eq!(since(CALM), None);
        assert_eq!(since(Moment { waited_ns: Some(20_000), ..CALM }), None, "under 2 % of the sample");
        assert_eq!(since(Moment { waited_ns: Some(30_000), ..CALM }), Some(Disturbance::Preempted));
        assert_eq!(since(Moment { cpu: Some(0), ..CALM }), Some(Disturbance::Migrated));
        assert_eq!(since(Moment { cpu: Some(0), throttled: Some(9), ..CALM }), Some(Disturbance::Migrated));
        assert_eq!(
            since(Moment { stolen_ticks: Some(6), waited_ns: Some(1 << 30), ..CALM }),
            Some(Disturbance::Stolen)
        );
        assert_eq!(since(Moment { throttled: Some(3), stolen_ticks: Some(6), ..CALM }), Some(Disturbance::Throttled));
    }

    #[test]
    fn a_pool_is_disturbed_by_what_others_take_over_many_samples() {
        let sample = |own_ns| Sampled { elapsed_ns: 10_000_000, cpu_user_ns: own_ns, ..SAMPLE };
        let busy = Moment { busy_ticks: Some(11), waited_ns: Some(1 << 30), cpu: Some(0), ..CALM };
        let judged = |own_ns| {
            let mut watch = Watch::new(2);
            (0..60).map(|_| watch.judge(&CALM, &busy, &sample(own_ns))).collect::<Vec<_>>()
        };
        assert!(judged(19_000_000).iter().all(Option::is_none), "all but a twentieth is its own");
        let loaded = judged(10_000_000);
        assert!(loaded[..19].iter().all(Option::is_none), "too early to tell");
        assert!(loaded[19..].iter().all(|one| *one == Some(Disturbance::Loaded)));
    }

    #[test]
    fn processes_that_compute_for_a_kernel_are_its_own() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let processes = vec![child.id()];
        let long_enough = 20_000_000;
        let sampled = Watch::new(2).with_processes(processes.clone()).take(|| {
            let end = clock::cpu_ns_of(&processes) + long_enough;
            while clock::cpu_ns_of(&processes) < end {}
            SAMPLE
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(sampled.cpu_user_ns >= SAMPLE.cpu_user_ns + long_enough, "{}", sampled.cpu_user_ns);
        assert_eq!(clock::cpu_ns_of(&processes), 0, "it has ended");
    }

    #[test]
    fn a_machine_that_tells_nothing_disturbs_nothing() {
        let silent = Moment { cpu: None, waited_ns: None, busy_ticks: None, stolen_ticks: None, throttled: None };
        for threads in [1, 2] {
            assert_eq!(Watch::new(threads).judge(&silent, &CALM, &SAMPLE), None);
            assert_eq!(Watch::new(threads).judge(&CALM, &silent, &SAMPLE), None);
        }
        assert!(silent.sources().is_empty());
        assert_eq!(Moment::read(Path::new("/no/such/root"), None), silent);
    }

    #[test]
    fn the_systems_files_are_read() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/thread-self")).unwrap();
        fs::write(root.path().join("proc/thread-self/schedstat"), "90 42 3\n").unwrap();
        fs::write(root.path().join("proc/stat"), "cpu  1 2 3 4 5 6 7 88 9 10\ncpu0 0 0 0 0 0 0 0 1 0 0\n").unwrap();
        let heat = root.path().join("sys/devices/system/cpu/cpu3/thermal_throttle");
        fs::create_dir_all(&heat).unwrap();
        fs::write(heat.join("core_throttle_count"), "4\n").unwrap();
        let read = Moment::read(root.path(), Some(3));
        let expected = Moment {
            cpu: Some(3),
            waited_ns: Some(42),
            busy_ticks: Some(1 + 2 + 3 + 6 + 7),
            stolen_ticks: Some(88),
            throttled: Some(4),
        };
        assert_eq!(read, expected);
        assert_eq!(read.sources().len(), 5);
    }
}
