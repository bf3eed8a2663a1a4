//! Series in the order in which they were measured: correlation, drift, and when they have settled.

mod drift;
mod settled;

pub use drift::{Drift, drift};
pub use settled::settled_from;

use crate::describe::{mean_of, scaled};
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
pub(crate) fn deviations(values: &[f64]) -> Vec<f64> {
    let near_one = scaled(values);
    let mean = mean_of(&near_one);
    // Once more: the deviations may be far smaller than the values.
    scaled(&near_one.into_iter().map(|v| v - mean).collect::<Vec<_>>())
}

/// The sum of the products of deviations a lag apart.
fn lagged_sum(deviations: &[f64], lag: usize) -> f64 {
    deviations.iter().skip(lag).zip(deviations).map(|(late, early)| late * early).sum()
}

/// Longer series are thinned to at most so many chunk means.
const LONGEST: usize = 10_000;

/// The number of independent values whose mean would vary as much as that of this series: n over
/// 1 + 2 Σ of its autocorrelations; at least 1 and at most n.
///
/// The sum ends by Geyer's initial monotone sequence (*Practical Markov Chain Monte Carlo*, 1992,
/// section 3.3): sums of two neighbouring correlations count while they are positive, each at most the
/// one before. Series of more than 10,000 values are thinned to means of equal chunks, which leaves
/// the variance of their mean as it is.
///
/// # Errors
/// [`Error::TooFew`] below two values, [`Error::NotFinite`], [`Error::Constant`].
pub fn effective_sample_size(values: &[f64]) -> Result<f64> {
    check::finite(values, 2)?;
    let deviations = deviations(values);
    let n = values.len() as f64;
    let variance = lagged_sum(&deviations, 0) / n;
    if variance <= 0.0 {
        return Err(Error::Constant);
    }
    let (means, _) = chunk_means(&deviations, LONGEST);
    check::number((variance / variance_of_mean(&means)).clamp(1.0, n))
}

/// The variance of the mean of a series with mean zero; infinite weight of the mean where it is 0.
fn variance_of_mean(deviations: &[f64]) -> f64 {
    let size = deviations.len() as f64;
    let covariance = |lag: usize| lagged_sum(deviations, lag) / size;
    let mut total = -covariance(0);
    let mut least = f64::INFINITY;
    for lag in (0..deviations.len()).step_by(2) {
        let pair = covariance(lag) + covariance(lag + 1);
        if pair <= 0.0 {
            break;
        }
        least = least.min(pair);
        total += 2.0 * least;
    }
    // An alternating series may have a sum at or below zero: its mean is then known best of all.
    total.max(0.0) / size
}

/// The means of equal chunks of consecutive values, as small as leaves at most `limit` of them, and the
/// size of a chunk. Values at the end that fill no chunk, fewer than one in `limit`, are left out.
fn chunk_means(values: &[f64], limit: usize) -> (Vec<f64>, usize) {
    let size = values.len().div_ceil(limit).max(1);
    (values.chunks_exact(size).map(mean_of).collect(), size)
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

    #[test]
    fn the_bounds_are_one_and_all() {
        let alternating: Vec<f64> = (0..40).map(|i| f64::from(i % 2)).collect();
        assert_eq!(effective_sample_size(&alternating), Ok(40.0));
        let line: Vec<f64> = (0..1000).map(f64::from).collect();
        assert!(effective_sample_size(&line).is_ok_and(|size| (1.0..4.0).contains(&size)));
        assert_eq!(effective_sample_size(&[3.0; 9]), Err(Error::Constant));
    }
}
