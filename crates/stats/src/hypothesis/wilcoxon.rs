//! The Wilcoxon signed-rank test.

use super::{Method, RankTest, Ranks};
use crate::dist::normal;
use crate::{Error, Result, check};

/// Up to this many differences, [`Method::Auto`] takes the exact distribution.
const EXACT_BY_CHOICE: usize = 50;
/// Up to this many differences, the exact distribution can be asked for: 2^-1000 still is a double.
const EXACT_AT_MOST: usize = 1_000;

/// What a signed-rank test does with differences of zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zeros {
    /// Zeros are left out before ranking (Wilcoxon 1945).
    #[default]
    Discard,
    /// Zeros are ranked, then their ranks are left out (Pratt 1959).
    Pratt,
}

/// The two-sided Wilcoxon signed-rank test that paired differences are symmetric about zero; the
/// statistic is the smaller of the rank sums of the positive and of the negative differences.
///
/// Exact: all 2ⁿ signs, p = min(1, 2 × the smaller tail). Asymptotic: normal with the variance
/// corrected for ties and, by Pratt, for zeros (Lehmann, *Nonparametrics*, 1975, section 3.2).
///
/// # Errors
/// [`Error::TooFew`] for no difference, [`Error::NotFinite`], [`Error::Constant`] where all are zero,
/// [`Error::Ties`] and [`Error::TooLargeForExact`] where [`Method::Exact`] is asked for.
pub fn wilcoxon_signed_rank(differences: &[f64], zeros: Zeros, method: Method) -> Result<RankTest> {
    check::finite(differences, 1)?;
    let ranked: Vec<f64> = match zeros {
        Zeros::Discard => differences.iter().copied().filter(|d| *d != 0.0).collect(),
        Zeros::Pratt => differences.to_vec(),
    };
    let (non_zero, zero): (Vec<f64>, Vec<f64>) = differences.iter().partition(|d| **d != 0.0);
    if non_zero.is_empty() {
        return Err(Error::Constant);
    }
    let sizes: Vec<f64> = ranked.iter().map(|d| d.abs()).collect();
    let ranks = Ranks::new(&sizes);
    let sum_of =
        |sign: f64| ranked.iter().zip(&ranks.of).filter(|(d, _)| **d * sign > 0.0).map(|(_, r)| r).sum::<f64>();
    let statistic = f64::min(sum_of(1.0), sum_of(-1.0));
    let smooth = zero.is_empty() && !ranks.tied();
    let method = match method {
        Method::Auto if smooth && ranked.len() <= EXACT_BY_CHOICE => Method::Exact,
        Method::Auto => Method::Asymptotic { continuity: true },
        asked => asked,
    };
    let p = match method {
        Method::Asymptotic { continuity } => {
            let ranked_zeros = if zeros == Zeros::Pratt { zero.len() as f64 } else { 0.0 };
            asymptotic(statistic, ranked.len() as f64, ranked_zeros, ranks.tie_term, continuity)?
        }
        _ if !smooth => return Err(Error::Ties),
        _ if ranked.len() > EXACT_AT_MOST => {
            return Err(Error::TooLargeForExact { limit: EXACT_AT_MOST, got: ranked.len() });
        }
        _ => exact(statistic, ranked.len()),
    };
    Ok(RankTest { statistic, p, method })
}

fn asymptotic(statistic: f64, n: f64, zeros: f64, tie_term: f64, continuity: bool) -> Result<f64> {
    let mean = (n * (n + 1.0) - zeros * (zeros + 1.0)) / 4.0;
    let squares = |k: f64| k * (k + 1.0) * (2.0 * k + 1.0) / 24.0;
    // The zeros are one tied group, but they carry no rank: their term must not count.
    let ties = (tie_term - (zeros * zeros * zeros - zeros)) / 48.0;
    let variance = squares(n) - squares(zeros) - ties;
    if variance <= 0.0 {
        return Err(Error::Constant);
    }
    let distance = (statistic - mean).abs() - if continuity { 0.5 } else { 0.0 };
    Ok(normal::two_sided(distance.max(0.0) / variance.sqrt()))
}

/// Twice the probability that a random half of the ranks 1..=n sums to at most `smaller`.
fn exact(smaller: f64, n: usize) -> f64 {
    let reach = smaller as usize;
    // probability[s]: that the ranks so far sum to s. Only additions of positive numbers.
    let mut probability = vec![0.0_f64; reach + 1];
    probability[0] = 1.0;
    for rank in 1..=n {
        for s in (0..=reach).rev() {
            let with = if s >= rank { probability[s - rank] } else { 0.0 };
            probability[s] = 0.5 * (probability[s] + with);
        }
    }
    (2.0 * probability.iter().sum::<f64>()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sign_has_the_smallest_probability() {
        let d: Vec<f64> = (1..=10).map(f64::from).collect();
        let test = wilcoxon_signed_rank(&d, Zeros::Discard, Method::Exact).expect("no ties");
        assert_eq!((test.statistic, test.p), (0.0, 2.0 / 1024.0));
    }

    #[test]
    fn exact_refuses_ties_zeros_and_crowds() {
        for d in [&[1.0, -1.0][..], &[0.0, 1.0][..]] {
            assert_eq!(wilcoxon_signed_rank(d, Zeros::Pratt, Method::Exact), Err(Error::Ties));
        }
        let crowd: Vec<f64> = (1..=1001).map(f64::from).collect();
        let answer = wilcoxon_signed_rank(&crowd, Zeros::Discard, Method::Exact);
        assert_eq!(answer, Err(Error::TooLargeForExact { limit: 1000, got: 1001 }));
    }

    #[test]
    fn only_zeros_are_no_test() {
        for zeros in [Zeros::Discard, Zeros::Pratt] {
            assert_eq!(wilcoxon_signed_rank(&[0.0, -0.0], zeros, Method::Auto), Err(Error::Constant));
        }
    }
}
