//! The geometric mean.

use super::mean_of;
use crate::{Result, check};

/// The geometric mean: the exponential of the mean logarithm, in the unit of `x`.
///
/// # Errors
/// [`Error::TooFew`](crate::Error::TooFew) for no value, [`Error::NotFinite`](crate::Error::NotFinite),
/// [`Error::NotPositive`](crate::Error::NotPositive) for a value of zero or below.
pub fn geometric_mean(x: &[f64]) -> Result<f64> {
    check::positive(x, 1)?;
    if check::all_equal(x) {
        return Ok(x[0]);
    }
    let logs: Vec<f64> = x.iter().map(|v| v.ln()).collect();
    check::number(mean_of(&logs).exp())
}
