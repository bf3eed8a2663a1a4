//! The interval of a median, without any assumption on the distribution.

use super::Interval;
use crate::describe::quantile_of_sorted;
use crate::dist::fair_coin_at_most;
use crate::{Error, Result, check};

/// Levels such as 1 - 2^(1-n) are met exactly, up to this rounding of the binomial probability.
const ROUNDING: f64 = 1e-12;

/// The interval of the median between two order statistics, in the unit of `x` (David & Nagaraja,
/// *Order Statistics*, 2003, section 7.1).
///
/// It is the narrowest symmetric pair of order statistics whose coverage is at least `level` for
/// any continuous distribution; what it really covers is [`median_coverage`]. Ties only widen the
/// coverage, so a constant sample has an interval of no width. Values are taken to be independent: for samples
/// of several processes, which are not, see [`replicate_interval`](crate::replicate_interval).
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
