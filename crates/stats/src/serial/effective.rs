//! How many independent values a series is worth.

use super::autocorrelation::{deviations, lagged_sum};
use super::chunks::chunk_means;
use crate::{Error, Result, check};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_one_and_all() {
        let alternating: Vec<f64> = (0..40).map(|i| f64::from(i % 2)).collect();
        assert_eq!(effective_sample_size(&alternating), Ok(40.0));
        let line: Vec<f64> = (0..1000).map(f64::from).collect();
        assert!(effective_sample_size(&line).is_ok_and(|size| (1.0..4.0).contains(&size)));
        assert_eq!(effective_sample_size(&[3.0; 9]), Err(Error::Constant));
    }
}
