//! The circular block bootstrap of a mean.

use super::block_length::block_length;
use crate::describe::mean_of;

/// The mean of one series with the standard error that the circular block bootstrap gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SeriesMean {
    pub(crate) mean: f64,
    /// The squared standard error of the mean; zero for a constant series.
    pub(crate) variance: f64,
    /// Blocks that could be laid side by side, less one.
    pub(crate) df: f64,
}

/// The mean of at least two finite values in the order in which they were measured.
///
/// Blocks of consecutive values, wrapped at the end, are drawn with replacement (Politis & Romano
/// 1992). For a mean the variance over all draws has the closed form (l / n) × the variance of the n
/// circular block means, so nothing needs to be drawn and no seed enters. The factor n / (n - l)
/// takes out its bias: blocks of one value give Student's standard error exactly.
pub(crate) fn series_mean(x: &[f64]) -> SeriesMean {
    let mean = mean_of(x);
    let length = block_length(x, mean);
    let (n, l) = (x.len() as f64, length as f64);
    SeriesMean { mean, variance: drawn_variance(x, mean, length) * n / (n - l), df: n / l - 1.0 }
}

/// The variance of the bootstrapped mean, over all draws of n / l circular blocks.
fn drawn_variance(x: &[f64], mean: f64, length: usize) -> f64 {
    let deviation = |i: usize| x[i % x.len()] - mean;
    let mut window: f64 = (0..length).map(deviation).sum();
    let mut squares = 0.0;
    for start in 0..x.len() {
        squares += window * window;
        window += deviation(start + length) - deviation(start);
    }
    let (n, l) = (x.len() as f64, length as f64);
    // l / n × (1 / n) Σ (window / l)²
    squares / (l * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::random::{index_below, stream};
    use rand_distr::{Distribution, StandardNormal};

    fn walk(n: usize, seed: u64) -> Vec<f64> {
        let mut generator = stream(seed, 9);
        let mut last = 0.0;
        (0..n)
            .map(|_| {
                let step: f64 = StandardNormal.sample(&mut generator);
                last = 0.5 * last + step;
                last
            })
            .collect()
    }

    #[test]
    fn the_closed_form_is_the_limit_of_drawing() {
        // The variance of 100,000 drawn means has a relative standard error of √(2/100,000) = 0.45 %
        // (their kurtosis is near normal): 4 of them are 1.8 %.
        let (x, length) = (walk(60, 3), 5);
        let mean = mean_of(&x);
        let mut generator = stream(4, 0);
        let draws = 100_000;
        let variance: f64 = (0..draws)
            .map(|_| {
                let blocks = x.len() / length;
                let sum: f64 = (0..blocks)
                    .map(|_| {
                        let start = index_below(x.len(), &mut generator);
                        (0..length).map(|i| x[(start + i) % x.len()]).sum::<f64>()
                    })
                    .sum();
                (sum / x.len() as f64 - mean).powi(2)
            })
            .sum::<f64>()
            / f64::from(draws);
        assert!((drawn_variance(&x, mean, length) / variance - 1.0).abs() < 0.018);
    }

    #[test]
    fn blocks_of_one_value_are_students_error() {
        let x = [1.0, 4.0, 2.0, 8.0, 5.0];
        let series = series_mean(&x);
        let exact = crate::variance(&x).expect("varies") / 5.0;
        assert!((series.variance / exact - 1.0).abs() < 1e-14);
        assert_eq!((series.mean, series.df), (4.0, 4.0));
    }
}
