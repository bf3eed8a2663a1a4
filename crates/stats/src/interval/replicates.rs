//! The interval of a time over replicates.

use super::{Interval, mean_interval};
use crate::verdict::Rules;
use crate::{Result, check};

/// The geometric mean of one value a replicate, with Student's interval over their logarithms, in the unit of
/// `values`.
///
/// Samples of one process share what that process is like, so a replicate counts once, however many samples it
/// has: an interval of pooled samples is several times too narrow (Kalibera & Jones, *Rigorous Benchmarking in
/// Reasonable Time*, 2013).
///
/// # Errors
/// [`Error::TooFew`](crate::Error::TooFew) below the replicates that a verdict needs
/// ([`Rules::student_replicates`]), [`Error::NotFinite`](crate::Error::NotFinite),
/// [`Error::NotPositive`](crate::Error::NotPositive), [`Error::Constant`](crate::Error::Constant),
/// [`Error::OutOfRange`](crate::Error::OutOfRange) for the level.
pub fn replicate_interval(values: &[f64], level: f64) -> Result<Interval> {
    check::positive(values, Rules::default().student_replicates)?;
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    mean_interval(&logs, level)?.exp()
}
