//! What else the machine did while a sample was taken.

use std::fs;
use std::path::Path;

use benchbook_core::message::{Disturbance, Sampled};
use nix::sched::sched_getcpu;

use crate::clock;

/// Nanoseconds that a single thread may wait for a processor before its sample is spoilt, however long that is: a share of
/// it would keep in long samples what is left out of short ones.
const MOST_WAITING_NS: f64 = 20_000.0;

/// Share of a sample that it may wait on top: what a system does for itself all the time.
const WAITING_BESIDE: f64 = 0.001;

/// Share of what the threads of a pool usually have of the processors, below which a sample is spoilt.
const LEAST_SHARE: f64 = 0.9;

/// Looks at a trial from which one knows what is usual.
const LEAST_LOOKS: usize = 5;

/// Nanoseconds of a tick of `/proc/stat`: USER_HZ is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;

/// Busy time over which load is judged: ticks are coarse, forty of them tell a third from a half.
const WINDOW_NS: f64 = (40 * TICK_NS) as f64;

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

/// What others take of the processors while this process measures, over all its trials: a single one is too short to tell.
#[derive(Debug, Default)]
pub struct Load {
    /// Busy time of the machine in nanoseconds; what lies further back counts less.
    busy_ns: f64,
    /// The same of this process.
    own_ns: f64,
}

impl Load {
    fn add(&mut self, busy_ns: f64, own_ns: f64) {
        let kept = (-busy_ns / WINDOW_NS).exp();
        // However long a look was, it weighs no more than the window.
        let new = if busy_ns > 0.0 { (1.0 - kept) * WINDOW_NS / busy_ns } else { 1.0 };
        self.busy_ns = kept * self.busy_ns + new * busy_ns;
        self.own_ns = kept * self.own_ns + new * own_ns;
    }

    /// Whether others had a good part of the processors.
    fn is_high(&self) -> bool {
        2.0 * self.busy_ns >= WINDOW_NS && self.own_ns < LEAST_OWN * self.busy_ns
    }
}

/// Watches the samples of one trial.
///
/// One thread says exactly how long it waited. The threads of a pool wait for each other and yield, so with several it is
/// their processor time that tells: beside that of the same trial's other samples, whether they were spread over the
/// processors; beside that of the whole machine, what other programs took ([`Load`]).
#[derive(Debug)]
pub struct Watch {
    threads: usize,
    /// Processes that compute for this one.
    processes: Vec<u32>,
    /// Processor time over elapsed time and threads, of the warm-up and of the samples so far, ascending.
    shares: Vec<f64>,
}

impl Watch {
    /// A watch over samples of `threads` threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads, processes: Vec::new(), shares: Vec::new() }
    }

    /// The same where other processes compute too: their processor time is the sample's own, counted as user time.
    #[must_use]
    pub fn with_processes(self, processes: Vec<u32>) -> Self {
        Self { processes, ..self }
    }

    /// Takes a sample and says in it what disturbed it.
    pub fn take(&mut self, load: &mut Load, sample: impl FnOnce() -> Sampled) -> Sampled {
        let (before, theirs) = (Moment::now(), clock::cpu_ns_of(&self.processes));
        let mut sampled = sample();
        sampled.cpu_user_ns += (clock::cpu_ns_of(&self.processes) - theirs).max(0);
        Sampled { disturbed: self.judge(load, &before, &Moment::now(), &sampled), ..sampled }
    }

    /// Looks at work that is no sample, such as a warm-up: what others take meanwhile they take from the samples too.
    pub fn observe<T>(&mut self, load: &mut Load, work: impl FnOnce(&mut Self) -> T) -> T {
        let own = |processes: &[u32]| clock::thread_cpu_ns().values().sum::<i64>() + clock::cpu_ns_of(processes);
        let (before, own_before) = (Moment::now(), own(&self.processes));
        let result = work(self);
        let own_ns = (own(&self.processes) - own_before).max(0);
        load.add(busy_ns(&before, &Moment::now()), own_ns as f64);
        result
    }

    /// Share of the processors that the threads had: all at most, however long they spun while clocks were read.
    fn share(&self, sampled: &Sampled) -> f64 {
        let own = (sampled.cpu_user_ns + sampled.cpu_system_ns) as f64;
        (own / (sampled.elapsed_ns.max(1) as f64 * self.threads.max(1) as f64)).min(1.0)
    }

    /// Whether the threads were spread over the processors as they are in the best quarter of what was seen of the trial.
    #[must_use]
    pub fn is_spread(&self, sampled: &Sampled) -> bool {
        let seen = self.shares.len();
        // Other processes' time is read apart, a single thread needs no second processor.
        let unknown = self.threads == 1 || !self.processes.is_empty() || seen < LEAST_LOOKS;
        unknown || self.share(sampled) >= LEAST_SHARE * self.shares[seen * 3 / 4]
    }

    /// The same, and remembers it for what follows.
    pub fn spread(&mut self, sampled: &Sampled) -> bool {
        let share = self.share(sampled);
        self.shares.insert(self.shares.partition_point(|known| *known < share), share);
        self.is_spread(sampled)
    }

    /// What has happened between two moments that spoils the sample; the gravest, where there are several.
    fn judge(&mut self, load: &mut Load, before: &Moment, after: &Moment, sampled: &Sampled) -> Option<Disturbance> {
        let spread = self.spread(sampled);
        load.add(busy_ns(before, after), (sampled.cpu_user_ns + sampled.cpu_system_ns).max(0) as f64);
        let moved = matches!((before.cpu, after.cpu), (Some(then), Some(now)) if then != now);
        let waited = grown(after.waited_ns, before.waited_ns) as f64;
        // Counters of another processor are no measure of this one.
        if !moved && grown(after.throttled, before.throttled) > 0 {
            Some(Disturbance::Throttled)
        } else if grown(after.stolen_ticks, before.stolen_ticks) > 0 {
            Some(Disturbance::Stolen)
        } else if self.threads == 1 && waited > MOST_WAITING_NS + WAITING_BESIDE * sampled.elapsed_ns as f64 {
            Some(Disturbance::Preempted)
        } else if !spread {
            Some(Disturbance::Starved)
        } else if self.threads > 1 && load.is_high() {
            Some(Disturbance::Loaded)
        } else {
            // A pool goes on wherever its caller runs.
            (moved && self.threads == 1).then_some(Disturbance::Migrated)
        }
    }
}

/// How much a counter has grown; nothing where it is not told.
fn grown(now: Option<u64>, then: Option<u64>) -> u64 {
    now.zip(then).map_or(0, |(now, then)| now.saturating_sub(then))
}

/// Busy time of the whole machine between two moments.
fn busy_ns(before: &Moment, after: &Moment) -> f64 {
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
        rested: true,
    };

    #[test]
    fn each_disturbance_is_named_and_the_gravest_first() {
        let since = |later: Moment| Watch::new(1).judge(&mut Load::default(), &CALM, &later, &SAMPLE);
        assert_eq!(since(CALM), None);
        assert_eq!(since(Moment { waited_ns: Some(20_000), ..CALM }), None, "20 µs");
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
    fn a_long_sample_keeps_no_more_of_a_wait_than_a_short_one() {
        let waited = |elapsed_ns: i64, waited_ns: u64| {
            let sample = Sampled { elapsed_ns, ..SAMPLE };
            let later = Moment { waited_ns: Some(100 + waited_ns), ..CALM };
            Watch::new(1).judge(&mut Load::default(), &CALM, &later, &sample)
        };
        for elapsed_ns in [1_000_000, 10_000_000, 100_000_000] {
            assert_eq!(waited(elapsed_ns, 1_000_000), Some(Disturbance::Preempted), "a slice of another, {elapsed_ns}");
            assert_eq!(waited(elapsed_ns, 15_000), None);
        }
    }

    #[test]
    fn others_are_found_over_all_trials_of_a_worker() {
        // A tick of the machine a sample, of 2 ms of two processors: a trial of 100 samples is shorter than the window.
        let sample = |own_ns| Sampled { elapsed_ns: 5_000_000, cpu_user_ns: own_ns, ..SAMPLE };
        let busy = Moment { busy_ticks: Some(10), waited_ns: Some(1 << 30), cpu: Some(0), ..CALM };
        let mut load = Load::default();
        let mut trial = |own_ns: i64| {
            let mut watch = Watch::new(2);
            (0..20).map(|_| watch.judge(&mut load, &CALM, &busy, &sample(own_ns))).collect::<Vec<_>>()
        };
        assert!(trial(9_500_000).iter().all(Option::is_none), "all but a twentieth is its own");
        assert!(trial(9_500_000).iter().all(Option::is_none));
        let loaded: Vec<_> = (0..4).flat_map(|_| trial(5_000_000)).collect();
        assert_eq!(loaded[0], None, "too early to tell");
        assert!(loaded[60..].iter().all(|one| *one == Some(Disturbance::Loaded)), "{loaded:?}");
    }

    #[test]
    fn a_warm_up_says_what_others_take_before_the_first_sample() {
        let mut load = Load::default();
        load.add(800e6, 390e6);
        assert!(load.is_high());
        load.add(1600e6, 1590e6);
        assert!(!load.is_high());
    }

    #[test]
    fn a_pool_on_one_processor_is_starved_however_the_machine_counts() {
        let sample = |own_ns| Sampled { cpu_user_ns: own_ns, ..SAMPLE };
        let mut watch = Watch::new(2);
        let mut judged = |own_ns| watch.judge(&mut Load::default(), &CALM, &CALM, &sample(own_ns));
        assert_eq!(judged(1_000_000), None, "too early to tell");
        assert!((0..20).all(|at| judged(1_960_000 + at * 1_000).is_none()));
        assert_eq!(judged(1_000_000), Some(Disturbance::Starved));
        assert_eq!(judged(1_700_000), Some(Disturbance::Starved));
        assert_eq!(judged(1_850_000), None);
        // Threads that spin on while clocks are read have no more than all processors.
        let mut watch = Watch::new(2);
        let mut judged = |own_ns| watch.judge(&mut Load::default(), &CALM, &CALM, &sample(own_ns));
        assert!((0..10).all(|_| judged(9_000_000).is_none()));
        assert_eq!(judged(1_990_000), None);
        // What works on one thread most of the time is not starved on one.
        let mut watch = Watch::new(2);
        let mut judged = |own_ns| watch.judge(&mut Load::default(), &CALM, &CALM, &sample(own_ns));
        assert!((0..20).all(|at| judged(1_050_000 + at * 1_000).is_none()));
    }

    #[test]
    fn processes_that_compute_for_a_kernel_are_its_own() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let processes = vec![child.id()];
        let long_enough = 20_000_000;
        let sampled = Watch::new(2).with_processes(processes.clone()).take(&mut Load::default(), || {
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
            assert_eq!(Watch::new(threads).judge(&mut Load::default(), &silent, &CALM, &SAMPLE), None);
            assert_eq!(Watch::new(threads).judge(&mut Load::default(), &CALM, &silent, &SAMPLE), None);
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
