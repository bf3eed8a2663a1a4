//! Warm-up, the number of iterations, and one sample.

use benchbook_core::message::Sampled;

use crate::clock;

/// A sample is never shorter than this many steps of the clock, so that its resolution does not matter.
const CLOCK_STEPS: i64 = 1_000;

/// What a warm-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmUp {
    /// Calls per sample from now on.
    pub iterations: u64,
    /// Calls made so far.
    pub done: u64,
}

/// Calls `work` for at least `warmup_ns` (and twice at least) and chooses the iterations of a sample.
///
/// The number is the smallest that makes a sample last `min_sample_ns` or a thousand steps of the
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
    let mut fastest = f64::INFINITY;
    loop {
        let elapsed = time(batch).max(1);
        done += batch;
        spent += elapsed;
        fastest = fastest.min(elapsed as f64 / batch as f64);
        let long_enough = elapsed as f64 >= target;
        if done >= 2 && long_enough && spent >= warmup_ns.cast_signed() {
            let iterations = (target / fastest).ceil().max(1.0) as u64;
            return WarmUp { iterations, done };
        }
        if !long_enough {
            batch = batch.saturating_mul(2);
        }
    }
}

/// One sample of the hot regime: a call that is not timed brings the input back into the caches.
pub fn sample_hot(work: &mut dyn FnMut(u64), iterations: u64) -> Sampled {
    work(1);
    clock::time(work, iterations)
}

/// One sample of the cold regime: the input of each call has left the caches.
pub fn sample_cold(work: &mut dyn FnMut(u64), iterations: u64) -> Sampled {
    clock::time(work, iterations)
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
    fn the_timed_region_holds_exactly_the_iterations() {
        let mut calls = 0;
        let sample = sample_hot(&mut |n| calls += n, 7);
        assert_eq!((calls, sample.iterations), (8, 7));
        assert!(sample.elapsed_ns >= 0 && sample.cpu_user_ns >= 0);
    }
}
