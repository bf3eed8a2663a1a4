//! From where on a series has settled.

use crate::change::{Rules, change_points};
use crate::describe::{mean_of, median};
use crate::{Result, check};

/// The fewest values that show a level.
const FEWEST: usize = 10;
/// The least change of the median that counts: 1 %.
const LEAST_CHANGE: f64 = 0.01;
/// The shortest stretch that is searched by itself.
const SHORTEST: usize = 20;

/// The index of the first value after the last change of level by 1 % or more; 0 where there is none.
/// `None` where fewer than ten values or fewer than a third of them follow it.
///
/// Changes are those of [`change_points`] on the logarithms of the medians of 20 to 50 groups of consecutive
/// values, each search at 0.01, after lone spikes are cut down, which would make up most of a mean and of a
/// variance. Groups, because the search is made again after each batch of a warm-up, and they keep it short
/// however long the series. The first half is searched by itself, and its first half, since a warm-up may be
/// shorter than a group of the whole; so is the second half, for a change that has only just come. What counts
/// as 1 % is the ratio of the medians before and after, which spikes do not move. Fewer than some five slow
/// first values may pass as spikes, and a slow trend is for [`drift`](super::drift) to find.
///
/// # Errors
/// [`Error::TooFew`](crate::Error::TooFew) for no value, [`Error::NotFinite`](crate::Error::NotFinite),
/// [`Error::NotPositive`](crate::Error::NotPositive).
pub fn settled_from(values: &[f64]) -> Result<Option<usize>> {
    check::positive(values, 1)?;
    if check::all_equal(values) {
        return Ok(Some(0));
    }
    if values.len() < FEWEST {
        return Ok(None);
    }
    let mut settled = last_change(values)?;
    let mut end = values.len() / 2;
    while end >= SHORTEST {
        settled = settled.max(last_change(&values[..end])?);
        end /= 2;
    }
    // A change near the end fills less than two groups of the whole.
    let half = values.len() / 2;
    if half >= SHORTEST {
        settled = settled.max(match last_change(&values[half..])? {
            0 => 0,
            late => half + late,
        });
    }
    let rest = values.len() - settled;
    Ok((rest >= FEWEST && rest >= values.len().div_ceil(3)).then_some(settled))
}

/// The first value after the last change of level; 0 where there is none.
fn last_change(values: &[f64]) -> Result<usize> {
    let groups = values.len().isqrt().clamp(20, 50);
    let size = (values.len() / groups).max(1);
    let logs: Vec<f64> = without_spikes(values)?.into_iter().map(f64::ln).collect();
    let medians = logs.chunks_exact(size).map(median).collect::<Result<Vec<f64>>>()?;
    let points = change_points(&medians, &Rules::default())?;
    let mut after: Option<(usize, f64)> = None;
    let mut end = values.len();
    for start in points.iter().map(|point| point.index * size).rev().chain([0]) {
        let level = median(&values[start..end])?;
        if let Some((index, next)) = after
            && (next.ln() - level.ln()).abs() >= LEAST_CHANGE.ln_1p()
        {
            // Both segments have at least two groups, and what was found may be one of them and a neighbour.
            let around = index - 2 * size..(index + 2 * size).min(values.len());
            return Ok(around.start + sharpest(&values[around], level / 2.0 + next / 2.0));
        }
        (after, end) = (Some((start, level)), start);
    }
    Ok(0)
}

/// The values, none of them beyond all medians of three neighbours: a lone spike is no more than a value of
/// the highest level.
fn without_spikes(values: &[f64]) -> Result<Vec<f64>> {
    let medians = values.windows(3).map(median).collect::<Result<Vec<f64>>>()?;
    let lowest = medians.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = medians.iter().copied().fold(0.0, f64::max);
    Ok(values.iter().map(|value| value.clamp(lowest, highest)).collect())
}

/// Where in a stretch with one change the values cross the middle between its levels: where the sum
/// of signs around their mean is largest (Page 1955). A step above the noise is found exactly.
fn sharpest(values: &[f64], middle: f64) -> usize {
    let signs: Vec<f64> = values.iter().map(|v| if *v > middle { 1.0 } else { -1.0 }).collect();
    let mean = mean_of(&signs);
    let (mut sum, mut largest) = (0.0_f64, (0, 0.0));
    for (index, sign) in signs.iter().enumerate() {
        sum += sign - mean;
        if sum.abs() > largest.1 {
            largest = (index + 1, sum.abs());
        }
    }
    largest.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_found_where_it_is() {
        for at in [0, 3, 7] {
            let x: Vec<f64> = (0..10).map(|i| if i < at { 9.0 } else { 5.0 + f64::from(i % 3) }).collect();
            assert_eq!(sharpest(&x, 8.0), at as usize);
        }
    }
}
