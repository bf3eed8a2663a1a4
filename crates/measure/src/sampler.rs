//! Warm-up, the number of iterations, and one sample.

use benchbook_core::message::Sampled;
use benchbook_stats::serial::settled_from;

use crate::clock;
use crate::disturbance::Watch;

/// Batches of which a warm-up consists at least, so that one can tell whether they have settled.
const LEAST_BATCHES: usize = 20;

/// How many times longer than wanted a warm-up may become that has not settled.
const MOST_EXTENSION: i64 = 4;

/// A sample is never shorter than this many steps of the clock, so that its resolution does not matter.
const CLOCK_STEPS: i64 = 1_000;

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
/// (Barrett et al., *Virtual Machine Warmup Blows Hot and Cold*, OOPSLA 2017).
///
/// The number of iterations is the smallest that makes a sample last `min_sample_ns` or a thousand steps of the
/// clock, whichever is longer, judged by the fastest call seen.
pub fn warm_up(work: &mut dyn FnMut(u64), warmup_ns: u64, min_sample_ns: u64) -> WarmUp {
    warm_up_with(&mut |iterations| clock::time(work, iterations).elapsed_ns, warmup_ns, min_sample_ns)
}

/// [`warm_up`] with the timing passed in.
fn warm_up_with(time: &mut dyn FnMut(u64) -> i64, warmup_ns: u64, min_sample_ns: u64) -> WarmUp {
    let target = min_sample_ns.cast_signed().max(CLOCK_STEPS * clock::observed_step_ns()) as f64;
    let mut done = 0;
    let mut spent = 0;
    let mut batch = 1_u64;
    let mut per_call = Vec::new();
    let wanted = warmup_ns.cast_signed();
    loop {
        let elapsed = time(batch).max(1);
        done += batch;
        spent += elapsed;
        if (elapsed as f64) < target {
            batch = batch.saturating_mul(2);
            continue;
        }
        per_call.push(elapsed as f64 / batch as f64);
        if done < 2 || spent < wanted {
            continue;
        }
        let settled = settled(&per_call);
        let most = wanted.saturating_mul(MOST_EXTENSION);
        // Calls so long that enough of them would take too long are not judged.
        let hopeless = settled.is_none() && elapsed.saturating_mul(LEAST_BATCHES as i64) > most;
        if settled == Some(true) || hopeless || spent >= most {
            let fastest = per_call.iter().copied().fold(f64::INFINITY, f64::min);
            return WarmUp { iterations: (target / fastest).ceil().max(1.0) as u64, done, settled };
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

/// One sample of the hot regime: a call that is not timed brings the input back into the caches.
pub fn sample_hot(work: &mut dyn FnMut(u64), iterations: u64, watch: &mut Watch) -> Sampled {
    work(1);
    watch.take(|| clock::time(work, iterations))
}

/// One sample of the cold regime: the input of each call has left the caches.
pub fn sample_cold(work: &mut dyn FnMut(u64), iterations: u64, watch: &mut Watch) -> Sampled {
    watch.take(|| clock::time(work, iterations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_reaches_the_wanted_length_for_any_cost_per_call() {
        for cost in [1_i64, 37, 1_000, 5_000_000] {
            let warm = warm_up_with(&mut |n| cost * n.cast_signed(), 10_000_000, 2_000_000);
            let length = cost * warm.iterations.cast_signed();
            assert!(length >= 2_000_000, "cost {cost}: a sample of {length} ns");
            assert!(warm.iterations == 1 || length - cost < 2_000_000.max(CLOCK_STEPS * clock::observed_step_ns() * 2));
            assert!(cost * warm.done.cast_signed() >= 10_000_000);
        }
    }

    #[test]
    fn a_slow_first_call_does_not_shorten_the_samples() {
        let mut first = true;
        let mut time = |n: u64| {
            let extra = if std::mem::take(&mut first) { 50_000_000 } else { 0 };
            extra + 1_000 * n.cast_signed()
        };
        let warm = warm_up_with(&mut time, 1_000_000, 1_000_000);
        assert!(warm.iterations >= 1_000, "{warm:?}");
    }

    #[test]
    fn a_warm_up_goes_on_until_its_times_have_settled() {
        let mut spent = 0;
        // Twice as slow for the first 9 ms, of 10 wanted.
        let mut time = |n: u64| {
            let elapsed = if spent < 9_000_000 { 2_000 } else { 1_000 } * n.cast_signed();
            spent += elapsed;
            elapsed
        };
        let warm = warm_up_with(&mut time, 10_000_000, 100_000);
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
    fn few_long_calls_are_not_judged() {
        let warm = warm_up_with(&mut |n| 50_000_000 * n.cast_signed(), 100_000_000, 1_000_000);
        assert_eq!((warm.settled, warm.done), (None, 2), "{warm:?}");
    }

    #[test]
    fn the_timed_region_holds_exactly_the_iterations() {
        let mut calls = 0;
        let sample = sample_hot(&mut |n| calls += n, 7, &mut Watch::new(1));
        assert_eq!((calls, sample.iterations), (8, 7));
        assert!(sample.elapsed_ns >= 0 && sample.cpu_user_ns >= 0);
    }
}
