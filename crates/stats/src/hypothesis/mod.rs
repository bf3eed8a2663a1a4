//! Two-sided tests, the ranks that they need, and many tests at once.

mod mann_whitney;
mod wilcoxon;

#[cfg(test)]
pub(crate) use mann_whitney::exact;
pub use mann_whitney::mann_whitney;
pub use wilcoxon::{Zeros, wilcoxon_signed_rank};

use crate::dist::student;
use crate::{Error, Moments, Result, check};

/// The outcome of a t test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The test statistic t.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// The two-sided p-value; 0 only where it is below the smallest double.
    pub p: f64,
}

/// The outcome of a rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// The test statistic: U of the first sample, or the smaller signed rank sum.
    pub statistic: f64,
    /// The two-sided p-value; 0 only where it is below the smallest double.
    pub p: f64,
    /// How p was computed: [`Method::Exact`] or [`Method::Asymptotic`].
    pub method: Method,
}

/// How a rank test computes its p-value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Exact for small samples without ties and zeros, else asymptotic with the continuity correction.
    #[default]
    Auto,
    /// The exact distribution of the statistic; an error with ties or zeros.
    Exact,
    /// The normal approximation with the variance corrected for ties.
    Asymptotic {
        /// Whether the statistic is moved by 1/2 towards its mean.
        continuity: bool,
    },
}

/// Welch's two-sided t test of equal means for unequal variances (Welch 1947), with
/// t = (mean of `candidate` - mean of `baseline`) / standard error.
///
/// # Errors
/// [`Error::TooFew`] below two values each, [`Error::NotFinite`], [`Error::Constant`] where neither
/// sample varies, [`Error::Overflow`].
pub fn welch_t(candidate: &[f64], baseline: &[f64]) -> Result<Test> {
    welch_from(&Moments::of(candidate)?, &Moments::of(baseline)?)
}

/// [`welch_t`] of moments.
///
/// # Errors
/// Those of [`welch_t`].
pub fn welch_from(candidate: &Moments, baseline: &Moments) -> Result<Test> {
    let (of_candidate, of_baseline) = (candidate.variance_of_mean()?, baseline.variance_of_mean()?);
    let variance = check::number(of_candidate + of_baseline)?;
    if variance <= 0.0 {
        return Err(Error::Constant);
    }
    let statistic = check::number((candidate.mean - baseline.mean) / variance.sqrt())?;
    let df = welch_freedom(of_candidate, candidate.n, of_baseline, baseline.n);
    Ok(Test { statistic, df, p: student::two_sided(statistic, df) })
}

/// The degrees of freedom of Welch & Satterthwaite, from the variances of two means that are not
/// both zero.
pub(crate) fn welch_freedom(variance_a: f64, n_a: u64, variance_b: f64, n_b: u64) -> f64 {
    // Shares instead of squares, which could overflow or underflow.
    let share = variance_a / (variance_a + variance_b);
    1.0 / (share * share / (n_a - 1) as f64 + (1.0 - share) * (1.0 - share) / (n_b - 1) as f64)
}

/// Mid-ranks of values, and what their ties amount to.
pub(crate) struct Ranks {
    /// The rank of each value, from 1, in the order given; tied values share the mean of their ranks.
    pub(crate) of: Vec<f64>,
    /// The sum of t³ - t over groups of t tied values.
    pub(crate) tie_term: f64,
}

impl Ranks {
    /// Ranks of finite values.
    pub(crate) fn new(values: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
        let mut of = vec![0.0; values.len()];
        let mut tie_term = 0.0;
        let mut before = 0;
        // By `==`, so that 0 and -0 are tied.
        for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
            let size = group.len() as f64;
            let rank = before as f64 + (size + 1.0) / 2.0;
            for &index in group {
                of[index] = rank;
            }
            tie_term += size * size * size - size;
            before += group.len();
        }
        Self { of, tie_term }
    }

    fn tied(&self) -> bool {
        self.tie_term > 0.0
    }
}

/// The p-values adjusted to control the false discovery rate, in the order given.
///
/// The step-up procedure of Benjamini & Hochberg, *Controlling the False Discovery Rate* (1995): valid
/// for independent or positively dependent tests. Reject those at or below the rate wanted.
///
/// # Errors
/// [`Error::TooFew`] for none, [`Error::NotFinite`], [`Error::OutOfRange`] outside [0, 1].
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>> {
    check::finite(p_values, 1)?;
    if let Some(&value) = p_values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::OutOfRange { what: "a p-value", value, range: "[0, 1]" });
    }
    let tests = p_values.len();
    let mut order: Vec<usize> = (0..tests).collect();
    order.sort_unstable_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0_f64; tests];
    let mut smallest = 1.0_f64;
    for (rank, &test) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[test] * (tests as f64 / (rank + 1) as f64));
        adjusted[test] = smallest;
    }
    Ok(adjusted)
}

/// The level of the intervals drawn of `selected` results out of `tests` so that at most the share
/// `rate` of those drawn is expected to miss: 1 - R q / m.
///
/// Benjamini & Yekutieli, *False Discovery Rate-Adjusted Multiple Confidence Intervals for Selected
/// Parameters* (2005), definition 1: valid for independent or positively dependent estimates selected
/// by the procedure of [`benjamini_hochberg`] at the same rate.
///
/// # Errors
/// [`Error::TooFew`] where nothing is selected, [`Error::OutOfRange`] where more is selected than tested, for a
/// rate outside (0, 1), and for a level so near 1 that it rounds to it.
pub fn false_coverage_level(selected: usize, tests: usize, rate: f64) -> Result<f64> {
    check::inside("rate", rate)?;
    if selected == 0 {
        return Err(Error::TooFew { needed: 1, got: 0 });
    }
    if selected > tests {
        return Err(Error::OutOfRange { what: "selected", value: selected as f64, range: "[1, tests]" });
    }
    let level = 1.0 - rate * (selected as f64 / tests as f64);
    check::level(level)?;
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank() {
        let ranks = Ranks::new(&[3.0, 1.0, 3.0, 0.0, -0.0, 3.0]);
        assert_eq!(ranks.of, [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
        assert_eq!(ranks.tie_term, 24.0 + 6.0);
    }
}
