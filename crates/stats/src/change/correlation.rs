//! How far neighbours resemble each other around a change of level.

use crate::describe::median_unchecked;
use crate::hypothesis::Ranks;

/// More is not corrected for: from here on a shift of level and a slow wander look the same.
const MOST: f64 = 0.8;

/// The correlation of neighbours, from 0 to 0.8, of a series whose level changes at `index`.
///
/// The mean squared difference of values a lag k apart is proportional to 1 - ρᵏ where they are an
/// autoregressive series of order 1, and needs no mean, whose estimate would lower ρ, most of all in short
/// series. Those at lags 1 and 3, of neighbours on one side, have the ratio 1 + ρ + ρ². Ranks keep outliers
/// and other changes small. The estimate is too low where the split was chosen because it separates
/// best: 1 + 20 / n mends that in simulations (`datasets/series_tests.csv`).
pub(super) fn correlation(values: &[f64], index: usize) -> f64 {
    let (left, right) = values.split_at(index);
    let around_level = [left, right].map(|side| {
        let level = median_unchecked(&mut side.to_vec());
        side.iter().map(move |value| value - level)
    });
    let ranks = Ranks::new(&around_level.into_iter().flatten().collect::<Vec<_>>()).of;
    let (left, right) = ranks.split_at(index);
    let mean_square = |lag: usize| {
        let differences = || [left, right].into_iter().flat_map(|side| side.iter().skip(lag).zip(side));
        differences().map(|(late, early)| (late - early).powi(2)).sum::<f64>() / differences().count() as f64
    };
    let ratio = mean_square(3) / mean_square(1);
    // Neither too few values nor values that do not vary have a ratio, and below 1 there is none to correct.
    let rho = if ratio > 1.0 { ((4.0 * ratio - 3.0).sqrt() - 1.0) / 2.0 } else { 0.0 };
    (rho * (1.0 + 20.0 / values.len() as f64)).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_correlated_and_what_alternates_is_not() {
        let wave: Vec<f64> = (0..80).map(|i| (f64::from(i) / 4.0).sin() + if i < 40 { 0.0 } else { 50.0 }).collect();
        assert_eq!(correlation(&wave, 40), MOST);
        let alternating: Vec<f64> = (0..80).map(|i| f64::from(i % 2)).collect();
        assert_eq!(correlation(&alternating, 40), 0.0);
    }

    #[test]
    fn levels_without_noise_have_no_correlation() {
        for (left, right) in [(2, 2), (3, 9), (20, 20)] {
            assert_eq!(correlation(&[vec![1.0; left], vec![2.0; right]].concat(), left), 0.0);
        }
    }
}
