//! Welch's t test.

use super::Test;
use crate::dist::student;
use crate::{Error, Moments, Result, check};

/// Welch's two-sided t test of equal means for unequal variances (Welch 1947), with
/// t = (mean of `candidate` - mean of `baseline`) / standard error.
///
/// # Errors
/// [`Error::TooFew`] below two values each, [`Error::NotFinite`], [`Error::Constant`] where neither
/// sample varies, [`Error::Overflow`].
pub fn welch_t(candidate: &[f64], baseline: &[f64]) -> Result<Test> {
    welch_from(&Moments::of(candidate)?, &Moments::of(baseline)?)
}

/// [`welch_t`] of moments.
///
/// # Errors
/// Those of [`welch_t`].
pub fn welch_from(candidate: &Moments, baseline: &Moments) -> Result<Test> {
    let (of_candidate, of_baseline) = (candidate.variance_of_mean()?, baseline.variance_of_mean()?);
    let variance = check::number(of_candidate + of_baseline)?;
    if variance <= 0.0 {
        return Err(Error::Constant);
    }
    let statistic = check::number((candidate.mean - baseline.mean) / variance.sqrt())?;
    let df = welch_freedom(of_candidate, candidate.n, of_baseline, baseline.n);
    Ok(Test { statistic, df, p: student::two_sided(statistic, df) })
}

/// The degrees of freedom of Welch & Satterthwaite, from the variances of two means that are not
/// both zero.
pub(crate) fn welch_freedom(variance_a: f64, n_a: u64, variance_b: f64, n_b: u64) -> f64 {
    // Shares instead of squares, which could overflow or underflow.
    let share = variance_a / (variance_a + variance_b);
    1.0 / (share * share / (n_a - 1) as f64 + (1.0 - share) * (1.0 - share) / (n_b - 1) as f64)
}
