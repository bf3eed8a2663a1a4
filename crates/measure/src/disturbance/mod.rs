//! What else the machine did while a sample was taken, as the system tells it of a worker from outside.

mod moment;
mod threads;

use benchbook_core::message::Ran;
use serde::{Deserialize, Serialize};

use crate::energy::{Counters, Meter};
use crate::executor::Sampled;
use crate::link::Caller;
use crate::quiet::Stirred;
use crate::{Result, clock};
pub use moment::Moment;
pub(crate) use moment::{Own, TICK_NS};
use moment::{busy_ns, grown};
use threads::{Working, is_crowd};

/// Nanoseconds that a single thread may wait for a processor before its sample is spoilt, however long that is: a share of
/// it would keep in long samples what is left out of short ones.
const MOST_WAITING_NS: f64 = 20_000.0;

/// Share of a sample that it may wait on top: what a system does for itself all the time.
const WAITING_BESIDE: f64 = 0.001;

/// Share of what the threads of a pool usually have of the processors, below which a sample is spoilt.
const LEAST_SHARE: f64 = 0.9;

/// Looks at a trial from which one knows what is usual.
const LEAST_LOOKS: usize = 5;

/// Length of a sample, in nanoseconds, from which on it is judged by a processor time that was read from outside: ten ticks.
const LEAST_COARSE_NS: i64 = 100_000_000;

/// Busy time over which load is judged: ticks are coarse, forty of them tell a third from a half.
const WINDOW_NS: f64 = (40 * TICK_NS) as f64;

/// Share of the busy time that must be the kernel's own.
const LEAST_OWN: f64 = 0.65;

/// What spoils a sample, as the system tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// The processor slowed itself down for heat or power.
    Throttled,
    /// Another guest of the host had a processor of this machine.
    Stolen,
    /// The process was ready but had to wait for a processor: something else ran there.
    Preempted,
    /// Other programs took a good part of the processors, seen over many samples.
    Loaded,
    /// The measuring thread was moved to another processor.
    Migrated,
    /// The threads of a pool had less of the processors than in other samples of the trial.
    Starved,
}

impl Disturbance {
    /// Every disturbance, in the order in which they came to be.
    pub const ALL: [Self; 6] =
        [Self::Throttled, Self::Stolen, Self::Preempted, Self::Loaded, Self::Migrated, Self::Starved];

    /// The word that stands in `samples.invalid_reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Stolen => "stolen",
            Self::Preempted => "preempted",
            Self::Loaded => "loaded",
            Self::Migrated => "migrated",
            Self::Starved => "starved",
        }
    }
}

/// What others take of the processors while a worker measures, over all its trials: a single one is too short to tell.
#[derive(Debug, Default)]
pub struct Load {
    /// Busy time of the machine in nanoseconds; what lies further back counts less.
    busy_ns: f64,
    /// The same of the worker.
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
    caller: Caller,
    /// Processes that compute for the caller's.
    processes: Vec<u32>,
    /// Processor time over elapsed time and threads, of the warm-up and of the samples so far, ascending.
    shares: Vec<f64>,
    /// Whether the worker tells its processor time.
    tells: bool,
    /// How many threads worked at a time when they were observed.
    at_work: Option<f64>,
    /// What samples that nothing disturbed took of the processors' energy.
    energy: Meter,
}

impl Watch {
    /// A watch over samples of `threads` threads; where other `processes` compute too, their processor time is the sample's
    /// own, counted as user time.
    #[must_use]
    pub fn new(threads: usize, caller: Caller, processes: Vec<u32>) -> Self {
        let energy = Meter::new(Counters::below("/").ok());
        Self { threads, caller, processes, shares: Vec::new(), tells: true, at_work: None, energy }
    }

    /// Takes a sample, with so many calls right before it that are not timed, and says what disturbed it. Where the worker does
    /// not tell its processor time, its processes come to rest before and after; else whoever is next has to wait for that.
    ///
    /// # Errors
    /// As of `sample`.
    pub fn take(&mut self, load: &mut Load, before: u64, sample: impl FnOnce() -> Result<Ran>) -> Result<Sampled> {
        let caller = self.caller;
        let of_caller = || clock::cpu_ns_of(&[caller.process]);
        if !self.tells {
            // What is read from outside is exact only where nothing runs.
            self.stirred().rest();
        }
        let (earlier, at_rest) = (Moment::now(caller), of_caller());
        let (theirs, ours) = (clock::cpu_ns_of(&self.processes), self.ours_ns());
        let before_energy = self.energy.look();
        let ran = sample()?;
        let after_energy = self.energy.look();
        // What is busy between two moments is held beside what the worker takes between the same ones.
        let (later, of_worker) = (earlier.later(caller), (of_caller() - at_rest).max(0));
        let (theirs, ours) = ((clock::cpu_ns_of(&self.processes) - theirs).max(0), (self.ours_ns() - ours).max(0));
        let own_ns = (of_worker + theirs + ours) as f64;
        let rested = ran.cpu_ns.is_some() || self.stirred().rest();
        let timed = ran.iterations.max(1) as f64 / (ran.iterations.max(1) + before) as f64;
        // What a worker does not tell itself is what its process took from one rest to the next.
        let of_all = |ns: i64| (timed * ns as f64) as i64;
        let cpu_ns = ran.cpu_ns.unwrap_or_else(|| of_all((of_caller() - at_rest).max(0))) + of_all(theirs);
        let is_told = ran.cpu_ns.is_some() || ran.elapsed_ns >= LEAST_COARSE_NS;
        let told = Ran { cpu_ns: is_told.then_some(cpu_ns), ..ran };
        let cpu_system_ns = ran.system_ns.unwrap_or(0).clamp(0, cpu_ns.max(0));
        let disturbed = self.judge(load, &earlier, &later, &told, own_ns);
        if disturbed.is_none() {
            self.energy.add(before_energy, after_energy, ran.iterations.saturating_add(before), ran.elapsed_ns);
        }
        self.tells = ran.cpu_ns.is_some();
        Ok(Sampled {
            iterations: ran.iterations.cast_signed(),
            elapsed_ns: ran.elapsed_ns,
            started_ns: ran.started_ns,
            cpu_user_ns: cpu_ns - cpu_system_ns,
            cpu_system_ns,
            disturbed,
            rested,
            steps: None,
        })
    }

    /// Looks at work that is no sample, such as a warm-up: what others take meanwhile they take from the samples too.
    pub fn observe<T>(&mut self, load: &mut Load, work: impl FnOnce(&mut Self) -> T) -> T {
        let own_ns = |watch: &Self| {
            watch.ours_ns() + clock::cpu_ns_of(&[watch.caller.process]) + clock::cpu_ns_of(&watch.processes)
        };
        let (earlier, own_before) = (Moment::now(self.caller), own_ns(self));
        let working = Working::now(&self.processes());
        let result = work(self);
        self.at_work = working.until(&Working::now(&self.processes()));
        let own_ns = (own_ns(self) - own_before).max(0);
        load.add(busy_ns(&earlier, &earlier.later(self.caller)), own_ns as f64);
        result
    }

    /// All processes that compute, which may work on for a while.
    pub fn stirred(&self) -> Stirred {
        Stirred::now(self.processes())
    }

    /// All processes that compute, that of the caller first.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        [&[self.caller.process][..], &self.processes[..]].concat()
    }

    /// Whether several threads of one process have to be spread over the processors: other processes' time is read apart.
    #[must_use]
    pub fn is_of_a_pool(&self) -> bool {
        self.threads > 1 && self.processes.is_empty()
    }

    /// How many threads worked at a time in what was observed, where that is more than were given. Of this process nobody knows
    /// whose threads they are.
    #[must_use]
    pub fn crowd(&self) -> Option<f64> {
        let is_other = self.caller.process != std::process::id();
        self.at_work.filter(|at_work| is_other && is_crowd(*at_work, self.threads))
    }

    /// Joules of the processors that a call took, in the samples that nothing disturbed; nothing where that cannot be read.
    #[must_use]
    pub fn joules(&self) -> Option<f64> {
        self.energy.of_a_call()
    }

    /// Processor time of this process so far, where the worker is another one.
    fn ours_ns(&self) -> i64 {
        let this = std::process::id();
        if this == self.caller.process { 0 } else { clock::cpu_ns_of(&[this]) }
    }

    /// Share of the processors that the threads had, where it is known: all at most, however long they spun while clocks
    /// were read.
    fn share(&self, ran: &Ran) -> Option<f64> {
        let all_ns = ran.elapsed_ns.max(1) as f64 * self.threads.max(1) as f64;
        ran.cpu_ns.map(|own_ns| (own_ns as f64 / all_ns).min(1.0))
    }

    /// Whether the threads were spread over the processors as they are in the best quarter of what was seen of the trial.
    #[must_use]
    pub fn is_spread(&self, ran: &Ran) -> bool {
        let seen = self.shares.len();
        let unknown = !self.is_of_a_pool() || seen < LEAST_LOOKS;
        unknown || self.share(ran).is_none_or(|share| share >= LEAST_SHARE * self.shares[seen * 3 / 4])
    }

    /// The same, and remembers it for what follows.
    fn remember(&mut self, ran: &Ran) -> bool {
        if let Some(share) = self.share(ran) {
            self.shares.insert(self.shares.partition_point(|known| *known < share), share);
        }
        self.is_spread(ran)
    }

    /// The same of a batch of a warm-up, which says too whether its worker tells its processor time.
    pub fn spread(&mut self, ran: &Ran) -> bool {
        self.tells = ran.cpu_ns.is_some();
        self.remember(ran)
    }

    /// Whether the worker tells its processor time: else it is read from outside, coarsely.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.tells
    }

    /// What has happened between two moments that spoils a sample; the gravest, where there are several.
    fn judge(
        &mut self,
        load: &mut Load,
        earlier: &Moment,
        later: &Moment,
        ran: &Ran,
        own_ns: f64,
    ) -> Option<Disturbance> {
        let spread = self.remember(ran);
        load.add(busy_ns(earlier, later), own_ns);
        // What the worker has read right around the clock is of nothing else. From outside, a thread that runs waits, or is
        // moved, only where it gives way: else it has woken up late or elsewhere to be asked, before anything is timed.
        let gave_way = earlier.gave_way.zip(later.gave_way).is_none_or(|(then, now)| now > then);
        let differ = |(then, now): (usize, usize)| then != now;
        let moved = ran
            .cpu_before
            .zip(ran.cpu_after)
            .map_or_else(|| gave_way && earlier.cpu.zip(later.cpu).is_some_and(differ), differ);
        let seen_waiting = || if gave_way { grown(later.waited_ns, earlier.waited_ns) } else { 0 };
        let waited = ran.waited_ns.unwrap_or_else(seen_waiting) as f64;
        if ran.throttled.unwrap_or_else(|| grown(later.throttled, earlier.throttled)) > 0 {
            Some(Disturbance::Throttled)
        } else if grown(later.stolen_ticks, earlier.stolen_ticks) > 0 {
            Some(Disturbance::Stolen)
        } else if self.threads == 1 && waited > MOST_WAITING_NS + WAITING_BESIDE * ran.elapsed_ns as f64 {
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

#[cfg(test)]
mod tests;
