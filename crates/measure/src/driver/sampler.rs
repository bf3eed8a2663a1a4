//! Warm-up, the number of iterations, and one sample.

use benchbook_core::message::Ran;
use benchbook_stats::serial::settled_from;

use crate::disturbance::{Load, Watch};
use crate::executor::Sampled;
use crate::{Result, clock};

/// Batches of which a warm-up consists at least, so that one can tell whether they have settled.
const LEAST_BATCHES: usize = 20;

/// Length of a batch from which on it need not be as long as a sample, in nanoseconds: reading the clocks of threads is little
/// beside it.
const LONG_BATCH_NS: f64 = 1e6;

/// How much longer than it has to be a batch is made whose calls were too few, so that the next ones are not too short again.
const ROOM: f64 = 1.1;

/// How many times longer than wanted a warm-up may become that has not settled.
const MOST_EXTENSION: i64 = 4;

/// A sample is never shorter than this many steps of the clock, so that its resolution does not matter.
const CLOCK_STEPS: i64 = 1_000;

/// Calls of a batch at most: a kernel whose batch of so many is too short ignores their number.
pub(super) const MOST_ITERATIONS: u64 = 1 << 32;

/// Parts of a sample in which one looks whether a pool is spread over its processors.
const LOOKS_IN_SAMPLE: u64 = 8;

/// What is written to the inputs of a kernel before it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Nothing.
    Nothing,
    /// A row of new numbers.
    New,
    /// The same as the last time.
    Again,
}

/// A kernel as the sampler sees it.
pub trait Work {
    /// Draws what is written next, ahead of what is timed.
    fn draw(&mut self) {}

    /// Calls it `before` times, writes to its inputs, and times `iterations` calls more.
    ///
    /// # Errors
    /// It fails, or whoever calls it is lost.
    fn run(&mut self, iterations: u64, before: u64, write: Write) -> Result<Ran>;
}

/// What a warm-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmUp {
    /// Calls per sample from now on.
    pub iterations: u64,
    /// Calls made so far.
    pub done: u64,
    /// Whether the times had settled at the end; nothing where the batches were too few to say.
    pub settled: Option<bool>,
}

/// Calls `work` for at least `warmup_ns` (and twice at least) and chooses the iterations of a sample.
///
/// It goes on, up to four times as long, until the times of its batches have settled: until their last
/// change point lies well before the end, since steady times are no matter of a number of calls
/// (Barrett et al., *Virtual Machine Warmup Blows Hot and Cold*, OOPSLA 2017), and until the threads are spread over the
/// processors as in the best of them.
///
/// A batch is as long as a sample, or, where that is longer than a millisecond, so long that those batches fill what is wanted:
/// twenty samples of 5 ms would take twice the 50 ms that a quick plan wants.
///
/// The number of iterations is the smallest that makes a sample last `min_sample_ns` or a thousand steps of the
/// clock, whichever is longer, judged by the fastest call seen. Without `min_sample_ns` it is one: a loop is never made twice
/// to fill a sample, since its steps would be those of two.
///
/// # Errors
/// As of [`Work::run`].
pub fn warm_up(
    work: &mut dyn Work,
    warmup_ns: u64,
    min_sample_ns: Option<u64>,
    watch: &mut Watch,
    load: &mut Load,
) -> Result<WarmUp> {
    watch.observe(load, |watch| {
        let target = min_sample_ns.map_or(0.0, target_ns);
        let least = batch_ns(warmup_ns, target);
        let mut time = |iterations: u64| -> Result<(i64, bool)> {
            let ran = work.run(iterations, 0, Write::Nothing)?;
            // Reading the clocks of threads takes longer than a short batch, which so tells nothing of its own.
            let spread = ran.elapsed_ns as f64 >= least && watch.spread(&ran);
            Ok((ran.elapsed_ns, spread))
        };
        warm_up_with(&mut time, warmup_ns, target)
    })
}

/// Length of a sample at least.
fn target_ns(min_sample_ns: u64) -> f64 {
    min_sample_ns.cast_signed().max(CLOCK_STEPS * clock::observed_step_ns()) as f64
}

/// Length of a batch of a warm-up at least, where a sample has `target` nanoseconds.
fn batch_ns(warmup_ns: u64, target: f64) -> f64 {
    target.min(LONG_BATCH_NS.max(warmup_ns as f64 / LEAST_BATCHES as f64))
}

/// [`warm_up`] with the timing passed in: what a batch takes, and whether its threads were spread.
fn warm_up_with(time: &mut dyn FnMut(u64) -> Result<(i64, bool)>, warmup_ns: u64, target: f64) -> Result<WarmUp> {
    let mut done = 0;
    let mut spent = 0;
    let mut batch = 1_u64;
    let mut per_call = Vec::new();
    let (wanted, least) = (warmup_ns.cast_signed(), batch_ns(warmup_ns, target));
    loop {
        let (elapsed, spread) = time(batch)?;
        let elapsed = elapsed.max(1);
        done += batch;
        spent += elapsed;
        if (elapsed as f64) < least && batch < MOST_ITERATIONS {
            // No more calls than it takes: a batch of twice as many may be nearly twice as long as wanted.
            let enough = (ROOM * batch as f64 * least / elapsed as f64).ceil() as u64;
            batch = (2 * batch).min(enough).max(batch + 1);
            continue;
        }
        per_call.push(elapsed as f64 / batch as f64);
        if batch < MOST_ITERATIONS && (done < 2 || spent < wanted) {
            continue;
        }
        let settled = settled(&per_call);
        let most = wanted.saturating_mul(MOST_EXTENSION);
        // Calls so long that enough of them would take too long are not judged.
        let hopeless = settled.is_none() && elapsed.saturating_mul(LEAST_BATCHES as i64) > most;
        if (settled == Some(true) && spread) || hopeless || spent >= most || batch >= MOST_ITERATIONS {
            let fastest = per_call.iter().copied().fold(f64::INFINITY, f64::min);
            let iterations = ((target / fastest).ceil().max(1.0) as u64).min(MOST_ITERATIONS);
            return Ok(WarmUp { iterations, done, settled });
        }
    }
}

/// Whether the times of batches have settled; nothing where they are too few.
fn settled(per_call: &[f64]) -> Option<bool> {
    if per_call.len() < LEAST_BATCHES {
        return None;
    }
    settled_from(per_call).ok().map(|from| from.is_some())
}

/// One sample of the hot regime: a call that is not timed brings the input back into the caches, and, where there are
/// several threads, more calls come first until they are spread. All of them together are no more than those of the sample,
/// or one: a call that is longer than a sample has time to spread its threads by itself.
///
/// # Errors
/// As of [`Work::run`].
pub fn sample_hot(work: &mut dyn Work, iterations: u64, watch: &mut Watch, load: &mut Load) -> Result<Sampled> {
    work.draw();
    let part = (iterations / LOOKS_IN_SAMPLE).max(1);
    let mut before = 1;
    if watch.is_of_a_pool() {
        for _ in 1..(iterations / part).min(LOOKS_IN_SAMPLE) {
            if watch.is_spread(&work.run(before, 0, Write::Nothing)?) {
                break;
            }
            before = part;
        }
        // Threads that have waited for the next question sleep: they are woken up in the one that is timed.
        before = part;
    }
    watch.take(load, before, || work.run(iterations, before, Write::New))
}

/// One sample of the cold regime: the input of each call has left the caches.
///
/// # Errors
/// As of [`Work::run`].
pub fn sample_cold(work: &mut dyn Work, iterations: u64, watch: &mut Watch, load: &mut Load) -> Result<Sampled> {
    work.draw();
    watch.take(load, 0, || work.run(iterations, 0, Write::New))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Caller;

    /// Calls of this test's own thread: the other threads of the process are other tests.
    struct Calls<F>(F);

    impl<F: FnMut(u64)> Work for Calls<F> {
        fn run(&mut self, iterations: u64, before: u64, _write: Write) -> Result<Ran> {
            if before > 0 {
                (self.0)(before);
            }
            let before_ns = clock::this_thread_cpu_ns();
            let ran = clock::time(&mut self.0, iterations);
            Ok(Ran { cpu_ns: Some(clock::this_thread_cpu_ns() - before_ns), ..ran })
        }
    }

    fn watch(threads: usize) -> Watch {
        Watch::new(threads, Caller::this_thread(), Vec::new())
    }

    /// A warm-up by the times of its batches.
    fn warmed(mut time: impl FnMut(u64) -> (i64, bool), warmup_ns: u64, sample_ns: u64) -> WarmUp {
        warm_up_with(&mut |n| Ok(time(n)), warmup_ns, target_ns(sample_ns)).unwrap()
    }

    #[test]
    fn a_sample_reaches_the_wanted_length_for_any_cost_per_call() {
        for cost in [1_i64, 37, 1_000, 5_000_000] {
            let warm = warmed(|n| (cost * n.cast_signed(), true), 10_000_000, 2_000_000);
            let length = cost * warm.iterations.cast_signed();
            assert!(length >= 2_000_000, "cost {cost}: a sample of {length} ns");
            assert!(warm.iterations == 1 || length - cost < 2_000_000.max(CLOCK_STEPS * clock::observed_step_ns() * 2));
            assert!(cost * warm.done.cast_signed() >= 10_000_000);
        }
    }

    #[test]
    fn a_loop_is_never_made_twice_for_one_sample() {
        let mut batches = Vec::new();
        let mut time = |loops: u64| {
            batches.push(loops);
            Ok((1_000, true))
        };
        let warm = warm_up_with(&mut time, 30_000, 0.0).unwrap();
        assert_eq!((warm.iterations, warm.done, warm.settled), (1, 30, Some(true)));
        assert!(batches.iter().all(|loops| *loops == 1), "{batches:?}");
    }

    #[test]
    fn a_slow_first_call_does_not_shorten_the_samples() {
        let mut first = true;
        let time = |n: u64| {
            let extra = if std::mem::take(&mut first) { 50_000_000 } else { 0 };
            (extra + 1_000 * n.cast_signed(), true)
        };
        let warm = warmed(time, 1_000_000, 1_000_000);
        assert!(warm.iterations >= 1_000, "{warm:?}");
    }

    #[test]
    fn a_warm_up_goes_on_until_its_times_have_settled() {
        let mut spent = 0;
        // Twice as slow for the first 9 ms, of 10 wanted.
        let time = |n: u64| {
            let elapsed = if spent < 9_000_000 { 2_000 } else { 1_000 } * n.cast_signed();
            spent += elapsed;
            (elapsed, true)
        };
        let warm = warmed(time, 10_000_000, 100_000);
        assert_eq!(warm.settled, Some(true));
        assert!(spent > 12_000_000 && spent <= 41_000_000, "{spent}");
    }

    #[test]
    fn a_late_step_has_not_settled_and_few_batches_say_nothing() {
        let step = |slow: usize, fast: usize| [vec![2.0; slow], vec![1.0; fast]].concat();
        assert_eq!(settled(&step(70, 8)), Some(false));
        assert_eq!(settled(&step(30, 60)), Some(true));
        assert_eq!(settled(&step(0, LEAST_BATCHES)), Some(true));
        assert_eq!(settled(&step(10, 5)), None);
    }

    #[test]
    fn a_warm_up_of_long_samples_takes_no_longer_than_it_has_to() {
        for (warmup_ns, sample_ns, batch) in [
            (50_000_000, 5_000_000, 2.5e6),
            (10_000_000, 5_000_000, 1e6),
            (200_000_000, 1_000_000, 1e6),
            (10_000_000, 100_000, 1e5),
        ] {
            assert_eq!(batch_ns(warmup_ns, f64::from(sample_ns)), batch);
        }
        let mut spent = 0;
        let time = |n: u64| {
            spent += 100_000 * n.cast_signed();
            (100_000 * n.cast_signed(), true)
        };
        let warm = warmed(time, 50_000_000, 5_000_000);
        assert_eq!((warm.settled, warm.iterations), (Some(true), 50));
        // Twenty batches of 2.5 ms, a little more each, and less than two in those that were too short.
        assert!((50_000_000..62_000_000).contains(&spent), "{spent} ns");
    }

    #[test]
    fn few_long_calls_are_not_judged() {
        let warm = warmed(|n| (50_000_000 * n.cast_signed(), true), 100_000_000, 1_000_000);
        assert_eq!((warm.settled, warm.done), (None, 2), "{warm:?}");
    }

    #[test]
    fn short_batches_of_a_warm_up_say_nothing_of_the_processors() {
        // One thread of two works, in a call of a microsecond: batches below a sample's length are mostly clock reading.
        let mut watch = watch(2);
        let mut load = Load::default();
        let mut work = Calls(|n: u64| {
            let end = clock::now_ns() + 1_000 * n.cast_signed();
            while clock::now_ns() < end {}
        });
        let warm = warm_up(&mut work, 30_000_000, Some(1_000_000), &mut watch, &mut load).unwrap();
        let mut judged = |_| watch.is_spread(&work.run(warm.iterations, 0, Write::Nothing).unwrap());
        assert!(
            (0..20).map(&mut judged).filter(|spread| *spread).count() > 10,
            "most of what works on one thread alone is as it should be"
        );
    }

    #[test]
    fn the_timed_region_holds_exactly_the_iterations() {
        for (threads, iterations, asked) in
            [(1, 7, vec![1, 7]), (1, 1, vec![1, 1]), (2, 1, vec![1, 1]), (2, 40, vec![1, 5, 40])]
        {
            let mut calls = Vec::new();
            let mut work = Calls(|n: u64| calls.push(n));
            let sample = sample_hot(&mut work, iterations, &mut watch(threads), &mut Load::default()).unwrap();
            assert_eq!((calls, sample.iterations), (asked, iterations.cast_signed()));
            assert!(sample.elapsed_ns >= 0 && sample.cpu_user_ns >= 0);
        }
        let mut calls = Vec::new();
        let sample = sample_cold(&mut Calls(|n: u64| calls.push(n)), 7, &mut watch(1), &mut Load::default()).unwrap();
        assert_eq!((calls, sample.iterations), (vec![7], 7));
    }

    /// Notes what it is told to do.
    #[derive(Default)]
    struct Told(Vec<(u64, u64, Write)>, u32);

    impl Work for Told {
        fn draw(&mut self) {
            self.1 += 1;
        }

        fn run(&mut self, iterations: u64, before: u64, write: Write) -> Result<Ran> {
            assert!(write != Write::New || self.1 > 0, "it is drawn before it is written");
            self.0.push((iterations, before, write));
            Ok(clock::time(&mut |_| (), iterations))
        }
    }

    #[test]
    fn calls_that_are_not_timed_come_in_the_same_question() {
        for (threads, iterations, before, looks) in [(1, 7, 1, 0), (1, 1, 1, 0), (2, 80, 10, 1), (2, 1, 1, 0)] {
            let mut told = Told::default();
            sample_hot(&mut told, iterations, &mut watch(threads), &mut Load::default()).unwrap();
            assert_eq!(told.0.last(), Some(&(iterations, before, Write::New)));
            assert_eq!(told.0.len(), looks + 1, "a pool is looked at first, where its calls are short");
        }
        let mut told = Told::default();
        sample_cold(&mut told, 7, &mut watch(2), &mut Load::default()).unwrap();
        assert_eq!(told.0, [(7, 0, Write::New)]);
    }

    /// A pool of two threads that has one processor in its first questions; notes how many calls each is about.
    struct Late(usize, Vec<u64>);

    impl Work for Late {
        fn run(&mut self, iterations: u64, _before: u64, _write: Write) -> Result<Ran> {
            self.1.push(iterations);
            let processors = if self.1.len() <= self.0 { 1 } else { 2 };
            Ok(Ran { iterations, elapsed_ns: 1_000_000, cpu_ns: Some(processors * 1_000_000), ..Ran::default() })
        }
    }

    #[test]
    fn the_clock_of_a_sample_starts_once_its_pool_is_spread() {
        for (late, looks) in [(0, 1), (3, 4), (100, 7)] {
            let mut watch = watch(2);
            let mut spread = Late(0, Vec::new());
            assert!((0..10).all(|_| watch.spread(&spread.run(80, 0, Write::Nothing).unwrap())));
            let mut pool = Late(late, Vec::new());
            let sampled = sample_hot(&mut pool, 80, &mut watch, &mut Load::default()).unwrap();
            assert_eq!((pool.1.len() - 1, pool.1.last()), (looks, Some(&80)), "{:?}", pool.1);
            assert!(late < looks || sampled.disturbed.is_some(), "who is never spread is starved");
        }
    }

    #[test]
    fn a_warm_up_waits_for_a_pool_that_is_not_spread_and_ends_for_one_that_ignores_its_calls() {
        let mut spent = 0;
        let late = |n: u64| {
            spent += 100_000 * n.cast_signed();
            (100_000 * n.cast_signed(), spent > 15_000_000)
        };
        warmed(late, 10_000_000, 100_000);
        assert!(spent > 15_000_000 && spent < 41_000_000, "{spent}");
        let ignoring = warmed(|_| (50, true), 1_000_000, 1_000_000);
        assert!(ignoring.iterations > 1, "{ignoring:?}");
    }
}
