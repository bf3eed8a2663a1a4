//! Bias-corrected and accelerated intervals.

use super::{Resamples, Statistic};
use crate::describe::{mean_of, quantile_of_sorted};
use crate::dist::normal;
use crate::{Error, Interval, Result, check};
use rayon::prelude::*;

/// The BCa interval of a statistic, in the unit of `x` (Efron, *Better Bootstrap Confidence
/// Intervals*, 1987; acceleration by the jackknife). Values are taken to be independent; below some
/// twenty of them it covers less than its level.
///
/// # Errors
/// [`Error::TooFew`] below three values, [`Error::TooFewResamples`], [`Error::BadResample`],
/// [`Error::NotFinite`], [`Error::Constant`], [`Error::Degenerate`], [`Error::OutOfRange`] for the
/// level, [`Error::Overflow`].
pub fn bca(x: &[f64], statistic: Statistic, level: f64, resamples: &Resamples) -> Result<Interval> {
    settings(level, &[resamples])?;
    check::finite(x, 3)?;
    resamples.fit(x.len())?;
    let draws = bootstrap(resamples.count(), |row, scratch| scratch.statistic(x, statistic, resamples, row, 0));
    let estimate = statistic.of(&mut x.to_vec());
    interval(estimate, draws, &[leave_one_out(x, statistic)], level)
}

/// The BCa interval of the ratio statistic of `baseline` / statistic of `candidate` for unpaired
/// samples: of times, above 1 says that the candidate is faster. Each sample is resampled by its own.
///
/// # Errors
/// Those of [`bca`], [`Error::NotPositive`], and [`Error::UnequalLength`] where the numbers of
/// resamples differ.
pub fn bca_ratio(
    candidate: &[f64],
    baseline: &[f64],
    statistic: Statistic,
    level: f64,
    of_candidate: &Resamples,
    of_baseline: &Resamples,
) -> Result<Interval> {
    settings(level, &[of_candidate, of_baseline])?;
    check::positive(candidate, 3)?;
    check::positive(baseline, 3)?;
    of_candidate.fit(candidate.len())?;
    of_baseline.fit(baseline.len())?;
    let draws = bootstrap(of_candidate.count(), |row, scratch| {
        let below = scratch.statistic(candidate, statistic, of_candidate, row, 0);
        scratch.statistic(baseline, statistic, of_baseline, row, 1) / below
    });
    let (below, above) = (statistic.of(&mut candidate.to_vec()), statistic.of(&mut baseline.to_vec()));
    let without_candidate = leave_one_out(candidate, statistic).into_iter().map(|c| above / c).collect();
    let without_baseline = leave_one_out(baseline, statistic).into_iter().map(|b| b / below).collect();
    interval(above / below, draws, &[without_candidate, without_baseline], level)
}

/// The BCa interval of the ratio statistic of `baseline` / statistic of `candidate` for pairs, which
/// are resampled as pairs.
///
/// # Errors
/// Those of [`bca`], [`Error::NotPositive`] and [`Error::UnequalLength`].
pub fn bca_paired_ratio(
    candidate: &[f64],
    baseline: &[f64],
    statistic: Statistic,
    level: f64,
    resamples: &Resamples,
) -> Result<Interval> {
    settings(level, &[resamples])?;
    check::same_length(candidate, baseline)?;
    check::positive(candidate, 3)?;
    check::positive(baseline, 3)?;
    resamples.fit(candidate.len())?;
    let draws = bootstrap(resamples.count(), |row, scratch| {
        let below = scratch.statistic(candidate, statistic, resamples, row, 0);
        scratch.statistic(baseline, statistic, resamples, row, 0) / below
    });
    let (below, above) = (statistic.of(&mut candidate.to_vec()), statistic.of(&mut baseline.to_vec()));
    let (less_below, less_above) = (leave_one_out(candidate, statistic), leave_one_out(baseline, statistic));
    let without = less_above.iter().zip(&less_below).map(|(b, c)| b / c).collect();
    interval(above / below, draws, &[without], level)
}

/// Buffers that one thread uses for all its resamples.
#[derive(Default)]
struct Scratch {
    indices: Vec<usize>,
    values: Vec<f64>,
}

impl Scratch {
    fn statistic(&mut self, x: &[f64], statistic: Statistic, resamples: &Resamples, row: usize, sample: u64) -> f64 {
        resamples.draw(row, sample, x.len(), &mut self.indices);
        self.values.clear();
        self.values.extend(self.indices.iter().map(|&i| x[i]));
        statistic.of(&mut self.values)
    }
}

fn bootstrap(count: usize, one: impl Fn(usize, &mut Scratch) -> f64 + Sync) -> Vec<f64> {
    (0..count).into_par_iter().map_init(Scratch::default, |scratch, row| one(row, scratch)).collect()
}

/// A level inside (0, 1), and enough resamples for one of them to lie in each tail.
pub(super) fn settings(level: f64, resamples: &[&Resamples]) -> Result<()> {
    check::level(level)?;
    let needed = (2.0 / (1.0 - level) - 1e-9).ceil() as usize;
    let count = resamples[0].count();
    for other in resamples {
        if other.count() != count {
            return Err(Error::UnequalLength { left: count, right: other.count() });
        }
    }
    if count < needed { Err(Error::TooFewResamples { needed, got: count }) } else { Ok(()) }
}

/// The interval from the draws and, sample by sample, the leave-one-out statistics (Efron &
/// Tibshirani, *An Introduction to the Bootstrap*, 1993, section 14.3).
fn interval(estimate: f64, mut draws: Vec<f64>, left_out: &[Vec<f64>], level: f64) -> Result<Interval> {
    check::number(estimate)?;
    if draws.iter().any(|d| !d.is_finite()) {
        return Err(Error::Overflow);
    }
    draws.sort_unstable_by(f64::total_cmp);
    if check::all_equal(&draws) {
        return Err(Error::Constant);
    }
    let below = draws.partition_point(|d| *d < estimate);
    let up_to = draws.partition_point(|d| *d <= estimate);
    let share = (below + up_to) as f64 / (2 * draws.len()) as f64;
    if share <= 0.0 || share >= 1.0 {
        return Err(Error::Degenerate { what: "every resample lies on one side of the estimate" });
    }
    let bias = normal::quantile(share);
    let acceleration = acceleration(left_out)?;
    let bound = |z: f64| {
        let moved = bias + z;
        let scale = 1.0 - acceleration * moved;
        if scale <= 0.0 {
            return Err(Error::Degenerate { what: "the acceleration is too strong for this level" });
        }
        Ok(quantile_of_sorted(&draws, normal::at_most(bias + moved / scale).clamp(0.0, 1.0)))
    };
    let z = normal::quantile((1.0 - level) / 2.0);
    Ok(Interval { estimate, low: bound(z)?, high: bound(-z)?, level })
}

/// One sixth of the skewness of the influence values, summed over the samples.
fn acceleration(left_out: &[Vec<f64>]) -> Result<f64> {
    let (mut cubes, mut squares) = (0.0, 0.0);
    // A common scale keeps cubes from over- and underflowing; the quotient does not change.
    let spread = |values: &Vec<f64>| {
        let center = mean_of(values);
        values.iter().map(|v| (center - v).abs()).fold(0.0, f64::max)
    };
    let scale = left_out.iter().map(spread).fold(0.0, f64::max);
    if scale <= 0.0 || !scale.is_finite() {
        return Err(Error::Degenerate {
            what: "leaving out any one value changes nothing, so BCa has no acceleration",
        });
    }
    for values in left_out {
        let n = values.len() as f64;
        let center = mean_of(values);
        for value in values {
            let influence = (n - 1.0) / n * ((center - value) / scale);
            cubes += influence.powi(3);
            squares += influence.powi(2);
        }
    }
    Ok(cubes / (6.0 * squares.powf(1.5)))
}

/// The statistic without value i, for every i, of at least two values.
fn leave_one_out(x: &[f64], statistic: Statistic) -> Vec<f64> {
    match statistic {
        Statistic::Mean => {
            let mean = mean_of(x);
            let rest = (x.len() - 1) as f64;
            x.iter().map(|v| mean + (mean - v) / rest).collect()
        }
        Statistic::Median => medians(x),
    }
}

fn medians(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_unstable_by(|&a, &b| x[a].total_cmp(&x[b]));
    let left = x.len() - 1;
    let mut without = vec![0.0; x.len()];
    for (place, &index) in order.iter().enumerate() {
        // The k-th of those left, in ascending order, skips the place left out.
        let kth = |k: usize| x[order[k + usize::from(k >= place)]];
        without[index] = if left % 2 == 1 { kth(left / 2) } else { kth(left / 2 - 1).midpoint(kth(left / 2)) };
    }
    without
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcuts_equal_the_long_way() {
        for x in [&[3.0, 1.0, 4.0, 1.0, 5.0][..], &[2.0, 7.0, 1.0, 8.0, 2.5, 8.5], &[1.0, 2.0]] {
            for statistic in [Statistic::Mean, Statistic::Median] {
                let quick = leave_one_out(x, statistic);
                for (i, value) in quick.iter().enumerate() {
                    let mut rest = x.to_vec();
                    rest.remove(i);
                    assert!((value - statistic.of(&mut rest)).abs() < 1e-12, "{statistic:?} of {x:?} without {i}");
                }
            }
        }
    }
}
