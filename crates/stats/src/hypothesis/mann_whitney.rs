//! The Mann-Whitney U test.

use super::{Method, RankTest, Ranks};
use crate::dist::normal;
use crate::{Error, Result, check};

/// Up to this product of the sizes, [`Method::Auto`] takes the exact distribution.
const EXACT_BY_CHOICE: usize = 2_500;
/// Up to this product of the sizes, the exact distribution can be asked for.
const EXACT_AT_MOST: usize = 10_000;

/// The two-sided Mann-Whitney test (1947); the statistic is U of `x`, the number of pairs in which
/// `x` is the larger, ties counting one half.
///
/// Exact: the distribution of U by the recurrence of Mann & Whitney, p = min(1, 2 × the smaller
/// tail). Asymptotic: normal with the variance corrected for ties (Lehmann, *Nonparametrics*, 1975,
/// section 1.4).
///
/// # Errors
/// [`Error::TooFew`] for no value, [`Error::NotFinite`], [`Error::Constant`] where all values are
/// tied, [`Error::Ties`] and [`Error::TooLargeForExact`] where [`Method::Exact`] is asked for.
pub fn mann_whitney(x: &[f64], y: &[f64], method: Method) -> Result<RankTest> {
    check::finite(x, 1)?;
    check::finite(y, 1)?;
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let ranks = Ranks::new(&all);
    let (m, n) = (x.len() as f64, y.len() as f64);
    let statistic = ranks.of[..x.len()].iter().sum::<f64>() - m * (m + 1.0) / 2.0;
    let pairs = x.len().saturating_mul(y.len());
    let method = match method {
        Method::Auto if !ranks.tied() && pairs <= EXACT_BY_CHOICE => Method::Exact,
        Method::Auto => Method::Asymptotic { continuity: true },
        asked => asked,
    };
    let p = match method {
        Method::Asymptotic { continuity } => asymptotic(statistic, m, n, ranks.tie_term, continuity)?,
        _ if ranks.tied() => return Err(Error::Ties),
        _ if pairs > EXACT_AT_MOST => return Err(Error::TooLargeForExact { limit: EXACT_AT_MOST, got: pairs }),
        _ => exact(statistic.min(m * n - statistic), x.len(), y.len()),
    };
    Ok(RankTest { statistic, p, method })
}

fn asymptotic(statistic: f64, m: f64, n: f64, tie_term: f64, continuity: bool) -> Result<f64> {
    let total = m + n;
    let variance = m * n / 12.0 * ((total + 1.0) - tie_term / (total * (total - 1.0)));
    if variance <= 0.0 {
        return Err(Error::Constant);
    }
    let distance = (statistic - m * n / 2.0).abs() - if continuity { 0.5 } else { 0.0 };
    Ok(normal::two_sided(distance.max(0.0) / variance.sqrt()))
}

/// Twice the probability of U ≤ `smaller`, which is at most m n / 2.
pub(crate) fn exact(smaller: f64, m: usize, n: usize) -> f64 {
    let reach = smaller as usize;
    let (few, many) = (m.min(n), m.max(n));
    // subsets[k][s]: in how many ways k of the first ranks have a rank sum of s above the smallest.
    // Only additions of positive numbers, so nothing cancels however small the tail.
    let mut subsets = vec![vec![0.0_f64; reach + 1]; few + 1];
    subsets[0][0] = 1.0;
    for rank in 1..=few + many {
        for k in (1..=few.min(rank)).rev() {
            // As the k-th smallest, this rank lies rank - k above the smallest possible.
            let above = rank - k;
            if above > reach || above > many {
                continue;
            }
            let (fewer, these) = subsets.split_at_mut(k);
            for s in above..=reach {
                these[0][s] += fewer[k - 1][s - above];
            }
        }
    }
    let tail: f64 = subsets[few].iter().sum();
    let ways: f64 = (1..=few).fold(1.0, |ways, i| ways * (many + i) as f64 / i as f64);
    (2.0 * (tail / ways)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_separation_is_one_arrangement_each_way() {
        let test = mann_whitney(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0, 7.0], Method::Exact).expect("no ties");
        assert_eq!(test.statistic, 0.0);
        assert!((test.p - 2.0 / 35.0).abs() < 1e-15);
    }

    #[test]
    fn every_exact_distribution_sums_to_one() {
        // With all of U's range within reach, twice the whole distribution is capped at 1.
        for (m, n) in [(1, 1), (1, 7), (4, 4), (6, 3)] {
            assert_eq!(exact((m * n) as f64, m, n), 1.0, "{m} {n}");
        }
    }

    #[test]
    fn sizes_at_the_limit_do_not_overflow() {
        let x: Vec<f64> = (0..10_000).map(f64::from).collect();
        let lonely = mann_whitney(&[-1.0], &x, Method::Exact).expect("no ties");
        assert!((lonely.p * 10_001.0 / 2.0 - 1.0).abs() < 1e-12);
        let half = mann_whitney(&x[..100], &x[100..200], Method::Exact).expect("no ties");
        assert!(half.p > 0.0 && half.p < 1e-57);
    }

    #[test]
    fn exact_refuses_ties_and_crowds() {
        assert_eq!(mann_whitney(&[1.0, 2.0], &[2.0], Method::Exact), Err(Error::Ties));
        let x: Vec<f64> = (0..101).map(f64::from).collect();
        let y: Vec<f64> = (1000..1101).map(f64::from).collect();
        assert_eq!(mann_whitney(&x, &y, Method::Exact), Err(Error::TooLargeForExact { limit: 10_000, got: 10_201 }));
    }
}
