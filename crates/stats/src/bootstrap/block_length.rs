//! How long the blocks of a block bootstrap must be.

/// The block length for the mean of a series whose neighbours may resemble each other.
///
/// The automatic choice of Politis & White (2004, with the correction of Patton, Politis & White
/// 2009) for the circular bootstrap, but never below n^(1/3): too few values hide a dependence that
/// is there. Never above n/4, so that four blocks at least tell of the spread.
pub(super) fn block_length(x: &[f64], mean: f64) -> usize {
    let n = x.len() as f64;
    let longest = (x.len() / 4).max(1);
    let length = automatic(x, mean).max(n.cbrt()).round();
    (length as usize).clamp(1, longest)
}

/// (G² / D)^(1/3) (2 n)^(1/3) with flat-top estimates of G = Σ|k| R(k) and D = 4/3 (Σ R(k))².
fn automatic(x: &[f64], mean: f64) -> f64 {
    let n = x.len();
    let size = n as f64;
    let deviations: Vec<f64> = x.iter().map(|v| v - mean).collect();
    let covariance =
        |lag: usize| deviations[lag..].iter().zip(&deviations).map(|(late, early)| late * early).sum::<f64>() / size;
    let variance = covariance(0);
    if variance <= 0.0 || n < 4 {
        return 1.0;
    }
    let quiet_lags = (size.log10().sqrt() as usize).max(5);
    let noise = 2.0 * (size.log10() / size).sqrt();
    let last = (size.sqrt().ceil() as usize + quiet_lags).min(n - 1);
    let covariances: Vec<f64> = (0..=last).map(covariance).collect();
    // The first lag after which `quiet_lags` correlations in a row are lost in noise.
    let quiet = |after: usize| covariances[after + 1..].iter().take(quiet_lags).all(|c| (c / variance).abs() < noise);
    let bandwidth = (2 * (0..last).find(|&lag| quiet(lag)).unwrap_or(last).max(1)).min(last);
    let (mut g, mut spectrum) = (0.0, variance);
    for (lag, c) in covariances.iter().enumerate().take(bandwidth + 1).skip(1) {
        let share = lag as f64 / bandwidth as f64;
        let window = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        g += 2.0 * window * lag as f64 * c;
        spectrum += 2.0 * window * c;
    }
    // A spectrum at or below zero is an estimate gone wrong: the caller's n^(1/3) then decides.
    if spectrum <= 0.0 {
        return 1.0;
    }
    let ratio = g / spectrum;
    (1.5 * ratio * ratio * size).cbrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::random::stream;
    use rand_distr::{Distribution, StandardNormal};

    fn autoregressive(n: usize, phi: f64, seed: u64) -> Vec<f64> {
        let mut generator = stream(seed, 0);
        let mut last = 0.0;
        let mut next = || {
            let step: f64 = StandardNormal.sample(&mut generator);
            last = phi * last + step;
            last
        };
        // The first 200 steps only bring the series into its stationary state.
        (0..n + 200).map(|_| next()).skip(200).collect()
    }

    #[test]
    fn long_series_get_the_length_that_theory_gives() {
        // For an AR(1) series G / ΣR = 2φ/(1-φ²), so the best length is known. The estimate's
        // relative spread at this n is some 15 % (simulated), so the mean of 20 is within 15 % by 4
        // standard errors, its bias included.
        let n = 4000;
        for phi in [0.3_f64, 0.6] {
            let exact = (1.5 * (2.0 * phi / (1.0 - phi * phi)).powi(2) * n as f64).cbrt();
            let mean: f64 = (0..20).map(|seed| automatic(&autoregressive(n, phi, seed), 0.0)).sum::<f64>() / 20.0;
            assert!((mean / exact - 1.0).abs() < 0.15, "phi = {phi}: {mean} for {exact}");
        }
    }

    #[test]
    fn a_length_always_leaves_four_blocks() {
        for n in 1..60 {
            let x = autoregressive(n, 0.95, n as u64);
            let length = block_length(&x, x.iter().sum::<f64>() / n as f64);
            assert!(length >= 1 && length <= (n / 4).max(1), "n = {n}: {length}");
        }
    }
}
