//! The interval of a mean.

use super::Interval;
use crate::dist::student;
use crate::{Error, Moments, Result, check};

/// Student's interval of the mean, in the unit of `x` (*The Probable Error of a Mean*, 1908). Its
/// values are taken to be independent: consecutive timings of one process seldom are.
///
/// # Errors
/// [`Error::TooFew`] below two values, [`Error::NotFinite`], [`Error::Constant`], [`Error::TooSmall`],
/// [`Error::OutOfRange`] for the level, [`Error::Overflow`].
pub fn mean_interval(x: &[f64], level: f64) -> Result<Interval> {
    mean_interval_from(&Moments::of(x)?, level)
}

/// [`mean_interval`] of moments.
///
/// # Errors
/// Those of [`mean_interval`].
pub fn mean_interval_from(moments: &Moments, level: f64) -> Result<Interval> {
    check::level(level)?;
    let squared_error = moments.variance_of_mean()?;
    if squared_error <= 0.0 {
        return Err(Error::Constant);
    }
    let t = student::critical(level, (moments.n - 1) as f64);
    Interval::around(moments.mean, t * squared_error.sqrt(), level)
}
