//! The variance at each level of a pilot.

use crate::bootstrap::series_mean;
use crate::describe::mean_of;
use crate::{Error, Moments, Result, check};

/// The variance of a paired log ratio at each level: the mean of R replicates of n blocks has the
/// variance (process + block / n) / R.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Between replicate means, beyond what their blocks explain; on the log ratio, squared.
    pub process: f64,
    /// Of one block within a process, inflated by what neighbouring blocks share: n times the variance
    /// of the mean of n blocks; on the log ratio, squared.
    pub block: f64,
    /// The replicates of the pilot.
    pub replicates: usize,
    /// The degrees of freedom of the spread between replicate means: replicates - 1, the fewest of any level.
    pub df: f64,
}

/// The components of a pilot's replicates, each the log ratios of its blocks in the order in which they
/// were measured.
///
/// The method of moments for a nested design, a negative estimate being 0 (Kalibera & Jones 2013, section
/// 6). A replicate counts by its mean whatever its number n of blocks, as in the verdict, so the expected
/// variance between means is process + block × mean of 1/n. Within a replicate the variance of the mean is
/// that of the circular block bootstrap; replicates are pooled by their degrees of freedom. In a series too
/// short to show its dependence, part of the block variance is taken for one of processes: a plan of more
/// blocks than the pilot's then promises too little rather than too much.
///
/// # Errors
/// [`Error::TooFew`] below two replicates, for a replicate without a block, or where no replicate has two;
/// [`Error::NotFinite`] with the position of the value over all replicates; [`Error::Constant`] where
/// nothing varies at either level; [`Error::Overflow`].
pub fn components(replicates: &[&[f64]]) -> Result<Components> {
    let count = replicates.len();
    if count < 2 {
        return Err(Error::TooFew { needed: 2, got: count });
    }
    let mut before = 0;
    for blocks in replicates {
        check::finite(blocks, 1).map_err(|error| match error {
            Error::NotFinite { index } => Error::NotFinite { index: before + index },
            other => other,
        })?;
        before += blocks.len();
    }
    let means: Vec<f64> = replicates.iter().map(|blocks| mean_of(blocks)).collect();
    let between = Moments::of(&means)?.variance()?;
    let block = pooled_block(replicates)?;
    if between <= 0.0 && block <= 0.0 {
        return Err(Error::Constant);
    }
    let explained = block * replicates.iter().map(|blocks| 1.0 / blocks.len() as f64).sum::<f64>() / count as f64;
    Ok(Components {
        process: check::number(between - explained)?.max(0.0),
        block,
        replicates: count,
        df: (count - 1) as f64,
    })
}

fn pooled_block(replicates: &[&[f64]]) -> Result<f64> {
    let (mut weighted, mut df) = (0.0, 0.0);
    for blocks in replicates.iter().filter(|blocks| blocks.len() >= 2) {
        let series = series_mean(blocks);
        weighted += series.df * series.variance * blocks.len() as f64;
        df += series.df;
    }
    if df <= 0.0 {
        return Err(Error::TooFew { needed: 2, got: 1 });
    }
    check::number(weighted / df)
}
