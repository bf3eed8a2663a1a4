//! Whether a series drifts, and how far.

use super::{chunk_means, deviations, lagged_sum};
use crate::describe::{median, median_unchecked, scaled};
use crate::dist::student;
use crate::{Error, Result, check};

/// Longer series are thinned to at most so many chunk means: the pairs of all are compared.
const LONGEST: usize = 2_000;
/// Below this many values the normal approximation of S is poor.
const FEWEST: usize = 10;
/// More correlation of neighbours is not corrected for: drift and a slow wander then look the same.
const MOST_CORRELATED: f64 = 0.95;

/// The drift of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// The change from the first value to the last as a share of the median, by the line of Theil and
    /// Sen: slope × (n - 1) / median. 0.02 says that the values rose by 2 % of their median.
    pub share: f64,
    /// The two-sided p-value of no drift.
    pub p_value: f64,
}

/// The Mann-Kendall test of a trend (Mann 1945; Kendall, *Rank Correlation Methods*, 1975) with the
/// slope of Theil and Sen (Sen 1968).
///
/// S counts rising less falling pairs; its variance is corrected for ties and, as in Hamed & Rao, *A
/// modified Mann-Kendall trend test for autocorrelated data* (1998), for the correlation of the ranks
/// around the line, taken to be that of an autoregressive series of order 1. S over its standard error,
/// with the continuity correction, is read as Student's t with two degrees of freedom fewer than the values
/// are worth, since the correlation is estimated. Noise of any distribution whose neighbours correlate
/// by up to 0.6 then has a p-value of at most 0.05 in at most 5 % of series (`datasets/series_tests.csv`).
///
/// Series of more than 2,000 values are thinned to the means of at most 2,000 equal chunks. A series that
/// does not vary does not drift.
///
/// # Errors
/// [`Error::TooFew`] below ten values, [`Error::NotFinite`], [`Error::Degenerate`] where the median
/// is not positive, [`Error::Overflow`].
pub fn drift(values: &[f64]) -> Result<Drift> {
    check::finite(values, FEWEST)?;
    if median(values)? <= 0.0 {
        return Err(Error::Degenerate { what: "the median is not positive, so nothing is a share of it" });
    }
    let mut near_one = scaled(values);
    let (means, size) = chunk_means(&near_one, LONGEST);
    let slope = theil_sen(&means);
    let steps = (values.len() - 1) as f64 / size as f64;
    let share = check::number(slope * steps / median_unchecked(&mut near_one))?;
    let around_line: Vec<f64> = means.iter().enumerate().map(|(i, v)| v - slope * i as f64).collect();
    let inflation = inflation(correlation(&around_line), means.len());
    let variance = variance_of_s(&places(&means)) * inflation;
    if variance <= 0.0 {
        return Ok(Drift { share, p_value: 1.0 });
    }
    let distance = (rising_less_falling(&means).abs() - 1.0).max(0.0);
    let df = (means.len() as f64 / inflation - 2.0).max(1.0);
    Ok(Drift { share, p_value: student::two_sided(distance / variance.sqrt(), df) })
}

/// The median slope of all pairs, in the unit of the values per value.
fn theil_sen(values: &[f64]) -> f64 {
    let slopes_from = |(i, early): (usize, &f64)| {
        let early = *early;
        values.iter().skip(i + 1).enumerate().map(move |(gap, late)| (late - early) / (gap + 1) as f64)
    };
    median_unchecked(&mut values.iter().enumerate().flat_map(slopes_from).collect::<Vec<_>>())
}

/// Kendall's S.
fn rising_less_falling(values: &[f64]) -> f64 {
    let sign = |early: f64, late: f64| i64::from(late > early) - i64::from(late < early);
    let from = |(i, early): (usize, &f64)| values.iter().skip(i + 1).map(|late| sign(*early, *late)).sum::<i64>();
    values.iter().enumerate().map(from).sum::<i64>() as f64
}

/// The variance of S of independent values: (n (n-1) (2n+5) - Σ t (t-1) (2t+5)) / 18 over groups of t
/// tied values (Kendall 1975).
fn variance_of_s(places: &[Place]) -> f64 {
    let term = |size: usize| (size as f64 - 1.0) * (2.0 * size as f64 + 5.0);
    // A group's t terms are summed by its t members.
    let ties: f64 = places.iter().map(|place| term(place.at_most - place.below)).sum();
    (places.len() as f64 * term(places.len()) - ties) / 18.0
}

/// The correlation of the ranks of neighbours, at least 0.
///
/// Around a line that was fitted it is estimated too low: (n r + 2) / (n - 4) mends that (Hamed, *Enhancing
/// the effectiveness of prewhitening in trend analysis*, 2009), and 1 + 8 / n what is left of it in
/// simulations, since an error upwards costs less than one downwards.
fn correlation(around_line: &[f64]) -> f64 {
    let ranks: Vec<f64> = places(around_line).into_iter().map(Place::mid_rank).collect();
    let deviations = deviations(&ranks);
    let squares = lagged_sum(&deviations, 0);
    if squares <= 0.0 {
        return 0.0;
    }
    let n = ranks.len() as f64;
    let unbiased = (n * lagged_sum(&deviations, 1) / squares + 2.0) / (n - 4.0);
    (unbiased * (1.0 + 8.0 / n)).clamp(0.0, MOST_CORRELATED)
}

/// By how much correlation widens the variance of S of n values: 1 + 2 / (n (n-1) (n-2)) × Σ (n-k) (n-k-1)
/// (n-k-2) ρᵏ over lags k (Hamed & Rao 1998).
fn inflation(correlation: f64, n: usize) -> f64 {
    let triples = |n: usize| n as f64 * (n as f64 - 1.0) * (n as f64 - 2.0);
    let powers = std::iter::successors(Some(correlation), |power| Some(power * correlation));
    let terms = (1..n - 2).zip(powers).take_while(|(_, power)| *power > 1e-9);
    1.0 + 2.0 * terms.map(|(lag, power)| triples(n - lag) * power).sum::<f64>() / triples(n)
}

/// Where a value lies in ascending order.
#[derive(Clone, Copy)]
struct Place {
    /// How many values are smaller.
    below: usize,
    /// How many values are smaller or equal, itself among them.
    at_most: usize,
}

impl Place {
    /// The rank from 1; tied values share the mean of their ranks.
    fn mid_rank(self) -> f64 {
        (self.below + self.at_most + 1) as f64 / 2.0
    }
}

/// The place of each finite value, in the order given.
fn places(values: &[f64]) -> Vec<Place> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // By `<` and `<=`, so that 0 and -0 are tied.
    let place =
        |v: &f64| Place { below: sorted.partition_point(|s| s < v), at_most: sorted.partition_point(|s| s <= v) };
    values.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_drifts_by_its_rise() {
        let line: Vec<f64> = (0..101).map(|i| 100.0 + 0.02 * f64::from(i)).collect();
        let found = drift(&line).expect("a drift");
        assert!((found.share - 2.0 / 101.0).abs() < 1e-12 && found.p_value < 1e-15);
        let falling: Vec<f64> = line.into_iter().rev().collect();
        let back = drift(&falling).expect("a drift");
        assert!((back.share + found.share).abs() < 1e-12 && (back.p_value / found.p_value - 1.0).abs() < 1e-9);
    }

    #[test]
    fn thinning_keeps_the_rise_of_a_line() {
        let line: Vec<f64> = (0..12_345).map(|i| 1.0 + 1e-5 * f64::from(i)).collect();
        let exact = 0.12344 / (1.0 + 0.06172);
        assert!(drift(&line).is_ok_and(|d| (d.share / exact - 1.0).abs() < 1e-9));
    }

    #[test]
    fn correlation_makes_values_worth_less() {
        // In the limit n ρ-correlated values are worth n (1-ρ) / (1+ρ).
        assert_eq!(inflation(0.0, 50), 1.0);
        assert!((inflation(0.6, 100_000) / 4.0 - 1.0).abs() < 1e-3);
        assert!(inflation(0.6, 20) < 4.0 && inflation(0.6, 20) > inflation(0.3, 20));
    }

    #[test]
    fn nothing_drifts_where_nothing_varies() {
        assert_eq!(drift(&[7.0; 30]), Ok(Drift { share: 0.0, p_value: 1.0 }));
        assert_eq!(drift(&[7.0; 3]), Err(Error::TooFew { needed: 10, got: 3 }));
        assert!(matches!(drift(&[-7.0; 30]), Err(Error::Degenerate { .. })));
    }

    #[test]
    fn ties_share_their_mean_rank() {
        let ranks: Vec<f64> = places(&[3.0, 1.0, 3.0, 0.0, -0.0, 3.0]).into_iter().map(Place::mid_rank).collect();
        assert_eq!(ranks, [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
    }
}
