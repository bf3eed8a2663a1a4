//! Calls around functions of your own, in this process: how long one takes, what it adds to memory, and several beside each other.
//!
//! Inputs are yours, nothing is checked, and another process may be slower as a whole: what holds beyond this process is a run.

use std::hint::black_box;

use benchbook_stats::{Interval, median, median_coverage, median_interval};

use crate::clock;
use crate::error::Result;
use crate::resource::MemoryWatch;
use crate::run::schedule::Order;

/// Names of the calls.
pub const CALLS: [&str; 3] = ["time_of", "memory_of", "compare"];

/// Two readings of the clock are this far apart at least, in nanoseconds.
const LEAST_NS: i64 = 1_000_000;

/// The level of intervals.
const LEVEL: f64 = 0.95;

/// A function beside the first of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What it is called.
    pub name: String,
    /// The median time of a call, in nanoseconds.
    pub median_ns: f64,
    /// The time of the first function over its own, the median of the blocks: above 1 it is faster. The interval holds the
    /// median in 95 % of such series within one process.
    pub speedup: Interval,
}

/// Times of one call, in nanoseconds: a number for each of `samples`, after a warm-up. Letting go of what a call gives is a part
/// of it.
pub fn time_of<T>(mut call: impl FnMut() -> T, samples: usize) -> Vec<f64> {
    let mut work = |times: u64| {
        for _ in 0..times {
            black_box(call());
        }
    };
    let times = calls_for(&mut work);
    (0..samples).map(|_| sample_ns(&mut work, times)).collect()
}

/// What a call adds to the resident memory of this process at its highest, what it gives included, in bytes; nothing where the
/// system does not tell.
///
/// Memory that the allocator has kept of earlier calls does not show: ask in a fresh process, before anything else.
pub fn memory_of<T>(call: impl FnOnce() -> T) -> Option<u64> {
    let watch = MemoryWatch::start()?;
    let made = black_box(call());
    let most = watch.peak_bytes();
    drop(made);
    Some(most?.saturating_sub(watch.resident_before_bytes()))
}

/// Times several functions, each once in a block, in an order that is drawn anew for each from `seed`. The first of them is the
/// baseline of all.
///
/// # Errors
/// So few blocks that they give no interval: six are needed.
pub fn compare(ways: &mut [(&str, &mut dyn FnMut())], blocks: usize, seed: u64) -> Result<Vec<Compared>> {
    median_coverage(blocks, LEVEL)?;
    let times: Vec<u64> = (0..ways.len()).map(|way| calls_for(&mut repeated(&mut *ways[way].1))).collect();
    let (mut order, mut taken) = (Order::new(seed), vec![Vec::new(); ways.len()]);
    for _ in 0..blocks {
        for way in order.next(ways.len()) {
            let mut work = repeated(&mut *ways[way].1);
            // Whoever was before has left its own in the caches.
            work(1);
            taken[way].push(sample_ns(&mut work, times[way]));
        }
    }
    let (first, mut found) = (taken.first().cloned().unwrap_or_default(), Vec::new());
    for ((name, _), own) in ways.iter().zip(&taken) {
        let ratios: Vec<f64> = first.iter().zip(own).map(|(first, own)| first / own).collect();
        let (median_ns, speedup) = (median(own)?, median_interval(&ratios, LEVEL)?);
        found.push(Compared { name: (*name).to_owned(), median_ns, speedup });
    }
    Ok(found)
}

/// A function as work that is made so many times.
fn repeated(call: &mut dyn FnMut()) -> impl FnMut(u64) {
    move |times| {
        for _ in 0..times {
            call();
        }
    }
}

/// Time of one of so many calls that are timed together, in nanoseconds.
fn sample_ns(work: &mut dyn FnMut(u64), times: u64) -> f64 {
    clock::time(work, times).elapsed_ns as f64 / times as f64
}

/// How many calls together take a sample that is long enough, after a first one that is not counted.
fn calls_for(work: &mut dyn FnMut(u64)) -> u64 {
    work(1);
    let mut times = 1;
    loop {
        let took = clock::time(work, times).elapsed_ns;
        if took >= LEAST_NS {
            return times;
        }
        let enough = 1.2 * times as f64 * LEAST_NS as f64 / took.max(1) as f64;
        times = (2 * times).max(enough as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[f64]) -> f64 {
        black_box(numbers).iter().sum()
    }

    #[test]
    fn a_function_that_works_four_times_takes_longer() {
        let numbers = vec![1.0; 100_000];
        let mut once = || {
            black_box(sum(&numbers));
        };
        let mut often = || {
            black_box((0..4).map(|_| sum(&numbers)).sum::<f64>());
        };
        let found = compare(&mut [("once", &mut once), ("often", &mut often)], 20, 1).unwrap();
        assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["once", "often"]);
        let [once, often] = [&found[0].speedup, &found[1].speedup];
        assert_eq!((once.low, once.estimate, once.high), (1.0, 1.0, 1.0));
        assert!(often.high < 1.0 && often.low <= often.estimate, "{found:?}");
        assert!(found[1].median_ns > found[0].median_ns, "{found:?}");
    }

    #[test]
    fn too_few_blocks_are_refused_before_anything_is_called() {
        let mut calls = 0;
        let mut call = || calls += 1;
        let said = compare(&mut [("call", &mut call)], 5, 1).unwrap_err().to_string();
        assert!(said.contains("needs at least 6"), "{said}");
        assert_eq!(calls, 0);
        assert!(compare(&mut [], 6, 1).unwrap().is_empty());
    }

    #[test]
    fn a_sample_is_of_as_many_calls_as_it_takes() {
        let mut calls = 0_u64;
        let count = || {
            calls += 1;
            calls
        };
        let times = time_of(count, 3);
        assert_eq!(times.len(), 3);
        assert!(times.iter().all(|time| *time > 0.0) && calls > 100, "{times:?} of {calls}");
    }

    #[test]
    fn memory_shows_what_is_filled() {
        const BYTES: usize = 256 << 20;
        if let Some(added) = memory_of(|| vec![1_u8; BYTES]) {
            assert!(added > BYTES as u64 / 2, "{added}");
        }
    }
}
