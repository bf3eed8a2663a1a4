//! The interval of a ratio of two unpaired means.

use super::Interval;
use crate::dist::student;
use crate::hypothesis::welch_freedom;
use crate::{Error, Moments, Result, check};

/// The ratio mean of `baseline` / mean of `candidate` (of times: above 1 says that the candidate is
/// faster) with its delta-method interval on the logarithm.
///
/// *Unpaired, descriptive*: the variance of ln(ratio) is s₁²/(n₁ m₁²) + s₂²/(n₂ m₂²), its multiplier
/// Student's with the degrees of freedom of Welch & Satterthwaite.
///
/// # Errors
/// [`Error::TooFew`] below two values each, [`Error::NotFinite`], [`Error::MeanNotPositive`],
/// [`Error::Constant`] where neither sample varies, [`Error::OutOfRange`] for the level,
/// [`Error::Overflow`].
pub fn ratio_interval(candidate: &[f64], baseline: &[f64], level: f64) -> Result<Interval> {
    ratio_interval_from(&Moments::of(candidate)?, &Moments::of(baseline)?, level)
}

/// [`ratio_interval`] of moments.
///
/// # Errors
/// Those of [`ratio_interval`].
pub fn ratio_interval_from(candidate: &Moments, baseline: &Moments, level: f64) -> Result<Interval> {
    check::level(level)?;
    let LogRatio { estimate, standard_error, df } = log_ratio_from(candidate, baseline)?;
    Interval::around(estimate, student::critical(level, df) * standard_error, level)?.exp()
}

/// The log of a ratio of means, its standard error and its degrees of freedom.
pub(crate) struct LogRatio {
    pub(crate) estimate: f64,
    pub(crate) standard_error: f64,
    pub(crate) df: f64,
}

pub(crate) fn log_ratio_from(candidate: &Moments, baseline: &Moments) -> Result<LogRatio> {
    let relative = |m: &Moments| -> Result<f64> {
        let mean = m.positive_mean()?;
        check::number(m.variance_of_mean()? / mean / mean)
    };
    let (of_candidate, of_baseline) = (relative(candidate)?, relative(baseline)?);
    let variance = check::number(of_candidate + of_baseline)?;
    if variance <= 0.0 {
        return Err(Error::Constant);
    }
    Ok(LogRatio {
        // Logs before their difference: the quotient itself may overflow.
        estimate: baseline.mean.ln() - candidate.mean.ln(),
        standard_error: variance.sqrt(),
        df: welch_freedom(of_candidate, candidate.n, of_baseline, baseline.n),
    })
}
