//! The interval of a ratio from pairs.

use super::{Interval, mean_interval};
use crate::{Result, check};

/// The log ratios ln(baseline / candidate), pair by pair: above 0 says that the candidate is faster.
///
/// # Errors
/// [`Error::UnequalLength`](crate::Error::UnequalLength), [`Error::TooFew`](crate::Error::TooFew) for
/// no pair, [`Error::NotFinite`](crate::Error::NotFinite), [`Error::NotPositive`](crate::Error::NotPositive).
pub fn log_ratios(candidate: &[f64], baseline: &[f64]) -> Result<Vec<f64>> {
    check::same_length(candidate, baseline)?;
    check::positive(candidate, 1)?;
    check::positive(baseline, 1)?;
    Ok(candidate.iter().zip(baseline).map(|(c, b)| b.ln() - c.ln()).collect())
}

/// The ratio exp(mean log ratio) with Student's interval on the logarithm, for independent pairs.
///
/// # Errors
/// Those of [`mean_interval`].
pub fn paired_ratio(log_ratios: &[f64], level: f64) -> Result<Interval> {
    mean_interval(log_ratios, level)?.exp()
}
