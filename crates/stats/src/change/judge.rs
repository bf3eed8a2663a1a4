//! How likely a change of level as clear as one that was found is by chance.

use super::tried::{Tried, ln_separated};
use crate::describe::median_unchecked;
use crate::dist::student;
use crate::hypothesis::Ranks;
use crate::{Method, Moments, Result, mann_whitney};
use std::ops::Range;

/// The larger of the p-values of two tests of the values of a stretch before `index` against those from
/// it on, each times the number of splits that were tried and could have had it.
///
/// `values` are all that may tell how neighbours are correlated.
pub(super) fn p_value(values: &[f64], stretch: &Range<usize>, index: usize, tried: &Tried) -> Result<f64> {
    let (before, after) = (&values[stretch.start..index], &values[index..stretch.end]);
    let ranks = ranks(before, after)?;
    let means = means(before, after, correlation(values, index))?;
    Ok((ranks * tried.reaching(ranks)).max(means * tried.splits()).min(1.0))
}

/// Mann and Whitney's test, whose null distribution is that of any independent noise without equal values.
///
/// Equal values are put in the order that speaks against the change: in a random order the test would be
/// exact, so in this one it claims no more. Correcting the variance for ties would claim too much where
/// most values are equal and a few are not.
fn ranks(before: &[f64], after: &[f64]) -> Result<f64> {
    let (left, right) = (before.len(), after.len());
    let mut all: Vec<(f64, bool)> =
        before.iter().map(|v| (*v, true)).chain(after.iter().map(|v| (*v, false))).collect();
    let mid_ranks = Ranks::new(&[before, after].concat()).of;
    let rises = mid_ranks[..left].iter().sum::<f64>() < (left * (left + right + 1)) as f64 / 2.0;
    // A sum with 0 makes equals of 0 and -0.
    all.sort_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)).then((a.1 == rises).cmp(&(b.1 == rises))));
    let side = |is_before| (1..).zip(&all).filter(move |(_, v)| v.1 == is_before).map(|(rank, _)| f64::from(rank));
    let test = mann_whitney(&side(true).collect::<Vec<f64>>(), &side(false).collect::<Vec<f64>>(), Method::Auto)?;
    let pairs = (left * right) as f64;
    let inversions = if rises { test.statistic } else { pairs - test.statistic };
    Ok(if 2.0 * inversions < pairs {
        test.p.min(ln_bound(inversions, left.min(right), left + right).exp())
    } else {
        1.0
    })
}

/// The logarithm of an upper bound of the two-sided p-value of few `inversions`, which is close where the
/// normal approximation, made for two large samples, is far too large.
///
/// Arrangements with at most u inversions are partitions of numbers up to u into at most k parts. Adding
/// 1 to k to the parts makes them distinct, so k! times as many are compositions: at most
/// C(u + k (k + 1) / 2, k) / k! of C(n, k).
pub(super) fn ln_bound(inversions: f64, few: usize, all: usize) -> f64 {
    let k = few as f64;
    let total = inversions + k * (k + 1.0) / 2.0;
    let factor = |i: usize| ((total - i as f64) / (k - i as f64)).ln() - ((i + 1) as f64).ln();
    ln_separated(few, all) + (0..few).map(factor).sum::<f64>()
}

/// Student's test with the pooled variance, with the variance of means of an autoregressive series.
fn means(before: &[f64], after: &[f64], correlation: f64) -> Result<f64> {
    let (left, right) = (Moments::of(before)?, Moments::of(after)?);
    let step = right.mean - left.mean;
    if step == 0.0 {
        return Ok(1.0);
    }
    let (n, m) = (left.n as f64, right.n as f64);
    let inflation = (1.0 + correlation) / (1.0 - correlation);
    let df = n + m - 2.0;
    let t = step / ((left.m2 + right.m2) / df * (1.0 / n + 1.0 / m) * inflation).sqrt();
    Ok(if t.is_finite() { student::two_sided(t, df) } else { 0.0 })
}

/// More is not corrected for: from here on a shift of level and a slow wander look the same.
const MOST: f64 = 0.8;

/// The correlation of neighbours, from 0 to 0.8, of a series whose level changes at `index`.
///
/// The mean squared difference of values a lag k apart is proportional to 1 - ρᵏ where they are an
/// autoregressive series of order 1, and needs no mean, whose estimate would lower ρ, most of all in short
/// series. Those at lags 1 and 3, of neighbours on one side, have the ratio 1 + ρ + ρ². Ranks keep outliers
/// and other changes small. The estimate is too low where the split was chosen because it separates
/// best: 1 + 20 / n mends that in simulations (`datasets/series_tests.csv`).
fn correlation(values: &[f64], index: usize) -> f64 {
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
    use crate::hypothesis;

    #[test]
    fn the_bound_holds_and_is_close_at_the_edges() {
        for (few, many) in [(2, 9), (3, 30), (5, 20), (8, 8)] {
            for inversions in 0..=few * many / 2 {
                let exact = hypothesis::exact(inversions as f64, few, many);
                let bound = ln_bound(inversions as f64, few, few + many).exp();
                assert!(bound >= exact * (1.0 - 1e-9), "{few} {many} {inversions}: {bound} < {exact}");
            }
            assert!(ln_bound(0.0, 2, 11).exp() < 2.0 * ln_separated(2, 11).exp());
        }
    }

    #[test]
    fn equal_values_speak_against_a_change() {
        // A tie is as bad as a value on the wrong side, whichever way the level changes.
        let high = [3.5, 6.0, 7.0, 8.0, 9.0];
        let wanted = mann_whitney(&[1.0, 2.0, 4.0, 3.6], &high, Method::Exact).expect("no ties").p;
        let tied = [1.0, 2.0, 4.0, 3.5];
        assert_eq!((ranks(&tied, &high), ranks(&high, &tied)), (Ok(wanted), Ok(wanted)));
        assert_eq!(ranks(&[1.0, -0.0, 0.0], &[0.0, 0.0, 1.0, 0.0]), Ok(1.0));
    }

    #[test]
    fn equal_sizes_have_welchs_statistic() {
        // Of samples of one size and one variance the pooled test is Welch's, degrees of freedom included.
        let (x, y) = ([1.0, 2.0, 4.0, 8.0], [3.0, 4.0, 6.0, 10.0]);
        let welch = crate::welch_t(&y, &x).expect("varies");
        assert!(means(&x, &y, 0.0).is_ok_and(|p| (p / welch.p - 1.0).abs() < 1e-12));
        assert!(means(&x, &y, 0.6).is_ok_and(|p| p > welch.p));
    }

    #[test]
    fn a_step_without_noise_is_as_clear_as_its_ranks() {
        let x = [[1.0; 5], [2.0; 5]].concat();
        let [whole, _] = Tried::of(&[0..10], 2);
        assert!(p_value(&x, &(0..10), 5, &whole).is_ok_and(|p| (p * 126.0 - 1.0).abs() < 1e-9));
    }

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
