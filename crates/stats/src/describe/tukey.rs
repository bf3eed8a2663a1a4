//! Tukey's fences.

use super::quantile_of_sorted;
use crate::{Result, check};

/// The interval outside which a value is called an outlier, in the unit of the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fences {
    /// First quartile - 1.5 interquartile ranges.
    pub low: f64,
    /// Third quartile + 1.5 interquartile ranges.
    pub high: f64,
}

/// The inner fences: the quartiles (type 7) widened by 1.5 interquartile ranges (Tukey,
/// *Exploratory Data Analysis*, 1977, section 2D).
///
/// # Errors
/// [`Error::TooFew`](crate::Error::TooFew) for no value, [`Error::NotFinite`](crate::Error::NotFinite),
/// [`Error::Overflow`](crate::Error::Overflow).
pub fn tukey_fences(x: &[f64]) -> Result<Fences> {
    check::finite(x, 1)?;
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, third) = (quantile_of_sorted(&sorted, 0.25), quantile_of_sorted(&sorted, 0.75));
    let reach = 1.5 * (third - first);
    Ok(Fences { low: check::number(first - reach)?, high: check::number(third + reach)? })
}

/// How many values lie strictly outside [`tukey_fences`]. They are counted, never dropped.
///
/// # Errors
/// Those of [`tukey_fences`].
pub fn outliers(x: &[f64]) -> Result<usize> {
    let fences = tukey_fences(x)?;
    Ok(x.iter().filter(|v| **v < fences.low || **v > fences.high).count())
}
