//! Student's interval from an estimate and its error.

use super::Interval;
use crate::dist::student;
use crate::{Error, Result, check};

/// The interval `estimate` ± t × `standard_error` with `df` degrees of freedom, all in the unit of the
/// estimate: to draw an interval again at another level. The interval of a ratio is drawn on its
/// logarithm.
///
/// # Errors
/// [`Error::NotFinite`] for the estimate, [`Error::Constant`] for a standard error of zero,
/// [`Error::OutOfRange`] for one below zero or not finite, for degrees of freedom outside (0, ∞) and for
/// the level, [`Error::Overflow`].
pub fn student_interval(estimate: f64, standard_error: f64, df: f64, level: f64) -> Result<Interval> {
    check::level(level)?;
    check::finite(&[estimate], 1)?;
    if standard_error == 0.0 {
        return Err(Error::Constant);
    }
    check::above_zero("standard_error", standard_error)?;
    check::above_zero("df", df)?;
    Interval::around(estimate, student::critical(level, df) * standard_error, level)
}
