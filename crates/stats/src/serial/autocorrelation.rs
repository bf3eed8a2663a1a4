//! The correlation of a series with itself some values later.

use crate::describe::mean_of;
use crate::scale::scaled;
use crate::{Error, Result, check};

/// The autocorrelation at a lag in values: the covariance of values that far apart over the variance,
/// both with n in the denominator (Box, Jenkins & Reinsel, *Time Series Analysis*, 1994, section 2.1.5).
///
/// # Errors
/// [`Error::TooFew`] below two values or `lag` + 1, [`Error::NotFinite`], [`Error::Constant`].
pub fn autocorrelation(values: &[f64], lag: usize) -> Result<f64> {
    check::finite(values, lag.saturating_add(1).max(2))?;
    let deviations = deviations(values);
    let squares = lagged_sum(&deviations, 0);
    if squares <= 0.0 {
        return Err(Error::Constant);
    }
    check::number(lagged_sum(&deviations, lag) / squares)
}

/// The deviations of finite values from their mean, times a power of two that keeps them near 1.
pub(super) fn deviations(values: &[f64]) -> Vec<f64> {
    let near_one = scaled(values);
    let mean = mean_of(&near_one);
    // Once more: the deviations may be far smaller than the values.
    scaled(&near_one.into_iter().map(|v| v - mean).collect::<Vec<_>>())
}

/// The sum of the products of deviations a lag apart.
pub(super) fn lagged_sum(deviations: &[f64], lag: usize) -> f64 {
    deviations.iter().skip(lag).zip(deviations).map(|(late, early)| late * early).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_series_by_hand() {
        // Deviations -1.5, -0.5, 0.5, 1.5: squares sum to 5, neighbours' products to 1.25.
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!((autocorrelation(&x, 0), autocorrelation(&x, 1)), (Ok(1.0), Ok(0.25)));
        assert_eq!(autocorrelation(&x, 3), Ok(-0.45));
        assert_eq!(autocorrelation(&x, 4), Err(Error::TooFew { needed: 5, got: 4 }));
    }
}
