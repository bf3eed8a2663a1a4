//! The median absolute deviation.

use super::median_unchecked;
use crate::{Result, check};

/// The median of the absolute deviations from the median, unscaled (no factor 1.4826).
///
/// # Errors
/// [`Error::TooFew`](crate::Error::TooFew) for no value, [`Error::NotFinite`](crate::Error::NotFinite),
/// [`Error::Overflow`](crate::Error::Overflow).
pub fn mad(x: &[f64]) -> Result<f64> {
    check::finite(x, 1)?;
    let mut values = x.to_vec();
    let center = median_unchecked(&mut values);
    for value in &mut values {
        *value = (*value - center).abs();
    }
    check::number(median_unchecked(&mut values))
}
