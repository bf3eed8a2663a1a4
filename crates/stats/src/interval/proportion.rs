//! The interval of a proportion.

use super::Interval;
use crate::dist::least_probability;
use crate::{Error, Result, check};

/// Trials beyond which the binomial tails would take too long.
const MOST_TRIALS: u64 = 1_000_000_000;

/// The proportion `successes` / `trials` with its exact interval: Clopper & Pearson, *The Use of
/// Confidence or Fiducial Limits Illustrated in the Case of the Binomial* (1934). It covers at least its
/// level for any proportion, and more than that for few trials. 0 successes give a lower bound of 0, only
/// successes an upper one of 1.
///
/// # Errors
/// [`Error::TooFew`] for no trial, [`Error::OutOfRange`] for more successes than trials, for more than
/// 10⁹ trials and for the level.
pub fn clopper_pearson(successes: u64, trials: u64, level: f64) -> Result<Interval> {
    check::level(level)?;
    if trials == 0 {
        return Err(Error::TooFew { needed: 1, got: 0 });
    }
    if trials > MOST_TRIALS {
        return Err(Error::OutOfRange { what: "trials", value: trials as f64, range: "[1, 10⁹]" });
    }
    if successes > trials {
        return Err(Error::OutOfRange { what: "successes", value: successes as f64, range: "[0, trials]" });
    }
    let tail = (1.0 - level) / 2.0;
    let failures = trials - successes;
    Ok(Interval {
        estimate: successes as f64 / trials as f64,
        low: if successes == 0 { 0.0 } else { least_probability(successes, trials, tail).0 },
        // The upper bound is what the lower one of the failures leaves.
        high: if failures == 0 { 1.0 } else { least_probability(failures, trials, tail).1 },
        level,
    })
}
