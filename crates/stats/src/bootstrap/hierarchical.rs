//! The bootstrap of replicates that hold blocks.

use super::random::{index_below, stream};
use crate::describe::quantile_of_sorted;
use crate::{Interval, Result, check};
use rayon::prelude::*;

/// The percentile interval of the mean of replicate means, where first replicates and then blocks
/// within each are drawn with replacement (Davison & Hinkley, *Bootstrap Methods*, 1997, section
/// 3.8). For ten replicates or more: with few it covers too little.
pub(crate) fn hierarchical_interval(
    replicates: &[&[f64]],
    estimate: f64,
    level: f64,
    draws: usize,
    seed: u64,
) -> Result<Interval> {
    let one = |draw: usize| {
        let mut generator = stream(seed, draw as u64);
        let mut total = 0.0;
        for _ in replicates {
            let blocks = replicates[index_below(replicates.len(), &mut generator)];
            let sum: f64 = blocks.iter().map(|_| blocks[index_below(blocks.len(), &mut generator)]).sum();
            total += sum / blocks.len() as f64;
        }
        total / replicates.len() as f64
    };
    let mut means: Vec<f64> = (0..draws).into_par_iter().map(one).collect();
    means.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Ok(Interval {
        estimate: check::number(estimate)?,
        low: check::number(quantile_of_sorted(&means, tail))?,
        high: check::number(quantile_of_sorted(&means, 1.0 - tail))?,
        level,
    })
}
