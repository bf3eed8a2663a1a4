//! Confidence intervals in closed form.

use crate::describe::quantile_of_sorted;
use crate::dist::{fair_coin_at_most, least_probability, student};
use crate::hypothesis::welch_freedom;
use crate::verdict::Rules;
use crate::{Error, Moments, Result, check};

/// An estimate with the bounds of its confidence interval, in the unit of the estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The point estimate.
    pub estimate: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// The confidence level asked for, inside (0, 1).
    pub level: f64,
}

impl Interval {
    /// Whether a value lies between the bounds, bounds included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The interval `estimate ± reach`.
    pub(crate) fn around(estimate: f64, reach: f64, level: f64) -> Result<Self> {
        Ok(Self {
            estimate: check::number(estimate)?,
            low: check::number(estimate - reach)?,
            high: check::number(estimate + reach)?,
            level,
        })
    }

    /// From logarithms back to ratios.
    pub(crate) fn exp(self) -> Result<Self> {
        Ok(Self {
            estimate: check::number(self.estimate.exp())?,
            low: check::number(self.low.exp())?,
            high: check::number(self.high.exp())?,
            level: self.level,
        })
    }
}

/// The interval `estimate` ± t × `standard_error` with `df` degrees of freedom, all in the unit of the
/// estimate: to draw an interval again at another level. The interval of a ratio is drawn on its
/// logarithm.
///
/// # Errors
/// [`Error::NotFinite`] for the estimate, [`Error::Constant`] for a standard error of zero,
/// [`Error::OutOfRange`] for one below zero or not finite, for degrees of freedom outside (0, ∞) and for
/// the level, [`Error::Overflow`].
pub fn student_interval(estimate: f64, standard_error: f64, df: f64, level: f64) -> Result<Interval> {
    check::level(level)?;
    check::finite(&[estimate], 1)?;
    if standard_error == 0.0 {
        return Err(Error::Constant);
    }
    check::above_zero("standard_error", standard_error)?;
    check::above_zero("df", df)?;
    Interval::around(estimate, student::critical(level, df) * standard_error, level)
}

/// Student's interval of the mean, in the unit of `x` (*The Probable Error of a Mean*, 1908). Its
/// values are taken to be independent: consecutive timings of one process seldom are.
///
/// # Errors
/// [`Error::TooFew`] below two values, [`Error::NotFinite`], [`Error::Constant`], [`Error::TooSmall`],
/// [`Error::OutOfRange`] for the level, [`Error::Overflow`].
pub fn mean_interval(x: &[f64], level: f64) -> Result<Interval> {
    mean_interval_from(&Moments::of(x)?, level)
}

/// [`mean_interval`] of moments.
///
/// # Errors
/// Those of [`mean_interval`].
pub fn mean_interval_from(moments: &Moments, level: f64) -> Result<Interval> {
    check::level(level)?;
    let squared_error = moments.variance_of_mean()?;
    if squared_error <= 0.0 {
        return Err(Error::Constant);
    }
    let t = student::critical(level, (moments.n - 1) as f64);
    Interval::around(moments.mean, t * squared_error.sqrt(), level)
}

/// The log ratios ln(baseline / candidate), pair by pair: above 0 says that the candidate is faster.
///
/// # Errors
/// [`Error::UnequalLength`], [`Error::TooFew`] for no pair, [`Error::NotFinite`], [`Error::NotPositive`].
pub fn log_ratios(candidate: &[f64], baseline: &[f64]) -> Result<Vec<f64>> {
    check::same_length(candidate, baseline)?;
    check::positive(candidate, 1)?;
    check::positive(baseline, 1)?;
    Ok(candidate.iter().zip(baseline).map(|(c, b)| b.ln() - c.ln()).collect())
}

/// The ratio exp(mean log ratio) with Student's interval on the logarithm, for independent pairs.
///
/// # Errors
/// Those of [`mean_interval`].
pub fn paired_ratio(log_ratios: &[f64], level: f64) -> Result<Interval> {
    mean_interval(log_ratios, level)?.exp()
}

/// The geometric mean of one value a replicate, with Student's interval over their logarithms, in the unit of
/// `values`.
///
/// Samples of one process share what that process is like, so a replicate counts once, however many samples it
/// has: an interval of pooled samples is several times too narrow (Kalibera & Jones, *Rigorous Benchmarking in
/// Reasonable Time*, 2013).
///
/// # Errors
/// [`Error::TooFew`] below the replicates that a verdict needs ([`Rules::student_replicates`]),
/// [`Error::NotFinite`], [`Error::NotPositive`], [`Error::Constant`], [`Error::OutOfRange`] for the level.
pub fn replicate_interval(values: &[f64], level: f64) -> Result<Interval> {
    check::positive(values, Rules::default().student_replicates)?;
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    mean_interval(&logs, level)?.exp()
}

/// The ratio mean of `baseline` / mean of `candidate` (of times: above 1 says that the candidate is
/// faster) with its delta-method interval on the logarithm.
///
/// *Unpaired, descriptive*: the variance of ln(ratio) is s₁²/(n₁ m₁²) + s₂²/(n₂ m₂²), its multiplier
/// Student's with the degrees of freedom of Welch & Satterthwaite.
///
/// # Errors
/// [`Error::TooFew`] below two values each, [`Error::NotFinite`], [`Error::MeanNotPositive`],
/// [`Error::Constant`] where neither sample varies, [`Error::OutOfRange`] for the level,
/// [`Error::Overflow`].
pub fn ratio_interval(candidate: &[f64], baseline: &[f64], level: f64) -> Result<Interval> {
    ratio_interval_from(&Moments::of(candidate)?, &Moments::of(baseline)?, level)
}

/// [`ratio_interval`] of moments.
///
/// # Errors
/// Those of [`ratio_interval`].
pub fn ratio_interval_from(candidate: &Moments, baseline: &Moments, level: f64) -> Result<Interval> {
    check::level(level)?;
    let LogRatio { estimate, standard_error, df } = log_ratio_from(candidate, baseline)?;
    Interval::around(estimate, student::critical(level, df) * standard_error, level)?.exp()
}

/// The log of a ratio of means, its standard error and its degrees of freedom.
pub(crate) struct LogRatio {
    pub(crate) estimate: f64,
    pub(crate) standard_error: f64,
    pub(crate) df: f64,
}

pub(crate) fn log_ratio_from(candidate: &Moments, baseline: &Moments) -> Result<LogRatio> {
    let relative = |m: &Moments| -> Result<f64> {
        let mean = m.positive_mean()?;
        check::number(m.variance_of_mean()? / mean / mean)
    };
    let (of_candidate, of_baseline) = (relative(candidate)?, relative(baseline)?);
    let variance = check::number(of_candidate + of_baseline)?;
    if variance <= 0.0 {
        return Err(Error::Constant);
    }
    Ok(LogRatio {
        // Logs before their difference: the quotient itself may overflow.
        estimate: baseline.mean.ln() - candidate.mean.ln(),
        standard_error: variance.sqrt(),
        df: welch_freedom(of_candidate, candidate.n, of_baseline, baseline.n),
    })
}

/// Trials beyond which the binomial tails would take too long.
const MOST_TRIALS: u64 = 1_000_000_000;

/// The proportion `successes` / `trials` with its exact interval: Clopper & Pearson, *The Use of
/// Confidence or Fiducial Limits Illustrated in the Case of the Binomial* (1934). It covers at least its
/// level for any proportion, and more than that for few trials. 0 successes give a lower bound of 0, only
/// successes an upper one of 1.
///
/// # Errors
/// [`Error::TooFew`] for no trial, [`Error::OutOfRange`] for more successes than trials, for more than
/// 10⁹ trials and for the level.
pub fn clopper_pearson(successes: u64, trials: u64, level: f64) -> Result<Interval> {
    check::level(level)?;
    if trials == 0 {
        return Err(Error::TooFew { needed: 1, got: 0 });
    }
    if trials > MOST_TRIALS {
        return Err(Error::OutOfRange { what: "trials", value: trials as f64, range: "[1, 10⁹]" });
    }
    if successes > trials {
        return Err(Error::OutOfRange { what: "successes", value: successes as f64, range: "[0, trials]" });
    }
    let tail = (1.0 - level) / 2.0;
    let failures = trials - successes;
    Ok(Interval {
        estimate: successes as f64 / trials as f64,
        low: if successes == 0 { 0.0 } else { least_probability(successes, trials, tail).0 },
        // The upper bound is what the lower one of the failures leaves.
        high: if failures == 0 { 1.0 } else { least_probability(failures, trials, tail).1 },
        level,
    })
}

/// Levels such as 1 - 2^(1-n) are met exactly, up to this rounding of the binomial probability.
const ROUNDING: f64 = 1e-12;

/// The interval of the median between two order statistics, in the unit of `x` (David & Nagaraja,
/// *Order Statistics*, 2003, section 7.1).
///
/// It is the narrowest symmetric pair of order statistics whose coverage is at least `level` for
/// any continuous distribution; what it really covers is [`median_coverage`]. Ties only widen the
/// coverage, so a constant sample has an interval of no width. Values are taken to be independent: for samples
/// of several processes, which are not, see [`replicate_interval`].
///
/// # Errors
/// [`Error::TooFew`] where even the whole range covers less than `level` (six values are needed at
/// 0.95), [`Error::NotFinite`], [`Error::OutOfRange`] for the level.
pub fn median_interval(x: &[f64], level: f64) -> Result<Interval> {
    check::level(level)?;
    check::finite(x, 1)?;
    let rank = lower_rank(x.len(), level)?;
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(Interval {
        estimate: quantile_of_sorted(&sorted, 0.5),
        low: sorted[rank - 1],
        high: sorted[x.len() - rank],
        level,
    })
}

/// The coverage that [`median_interval`] of `n` values really has at `level`: never below it, and
/// well above it for few values, because order statistics come in steps.
///
/// # Errors
/// [`Error::TooFew`] and [`Error::OutOfRange`] as [`median_interval`].
pub fn median_coverage(n: usize, level: f64) -> Result<f64> {
    check::level(level)?;
    Ok(coverage(n, lower_rank(n, level)?))
}

/// The coverage of the order statistics `rank` and n + 1 - `rank`, counted from 1.
fn coverage(n: usize, rank: usize) -> f64 {
    1.0 - 2.0 * fair_coin_at_most((rank - 1) as u64, n as u64)
}

/// The largest rank whose pair of order statistics covers `level`.
fn lower_rank(n: usize, level: f64) -> Result<usize> {
    let covers = |rank: usize| coverage(n, rank) >= level - ROUNDING;
    if n == 0 || !covers(1) {
        return Err(Error::TooFew { needed: needed(level), got: n });
    }
    let (mut enough, mut too_much) = (1, n / 2 + 1);
    while too_much - enough > 1 {
        let middle = enough.midpoint(too_much);
        if covers(middle) {
            enough = middle;
        } else {
            too_much = middle;
        }
    }
    Ok(enough)
}

/// The smallest n with 1 - 2^(1-n) ≥ level.
fn needed(level: f64) -> usize {
    (2..1100).find(|&n| coverage(n, 1) >= level - ROUNDING).unwrap_or(1100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_values_are_needed_at_95_percent() {
        assert_eq!(median_interval(&[1.0; 5], 0.95), Err(Error::TooFew { needed: 6, got: 5 }));
        assert_eq!(median_coverage(6, 0.95).map(|c| (c * 32.0).round()), Ok(31.0));
    }

    #[test]
    fn a_level_met_exactly_is_accepted() {
        assert!(median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1.0 - 1.0 / 32.0).is_ok());
    }

    #[test]
    fn coverage_is_never_below_its_level() {
        for n in 6..400 {
            let real = median_coverage(n, 0.95).expect("enough values");
            assert!((0.95..1.0).contains(&real), "n = {n}: {real}");
        }
        assert!((median_coverage(10_000_000, 0.95).expect("enough values") - 0.95).abs() < 1e-3);
    }
}
