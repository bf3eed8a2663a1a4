//! Change points: where the level of a series changes.
//!
//! Each of a fixed set of splits is tried by two tests, and a change needs both: the ranks on its sides
//! (so that no outlier and no skewed noise makes one) and their means (so that neighbours that resemble
//! each other make none). Their p-values are those of the whole search: multiplied by how many splits
//! could have done as well. `datasets/series_tests.csv` holds how often they err.

mod judge;
mod tried;

use crate::describe::{mean_of, scaled};
use crate::dist::normal;
use crate::hypothesis::Ranks;
use crate::{Error, Result, check};
use judge::{ln_bound, p_value};
use std::ops::Range;
use tried::{Tried, ln_separated, stretches};

/// The rules by which change points are found. Fix them before the data are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The largest probability, inside (0, 1), with which a series without a change may have a change
    /// point at all, however many splits are tried: 0.01.
    pub significance: f64,
    /// The least change that counts, as a share of the mean before it: 0.0.
    pub least_effect: f64,
    /// The fewest values that make a level, at least 2: 2.
    pub least_segment: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { significance: 0.01, least_effect: 0.0, least_segment: 2 }
    }
}

impl Rules {
    fn check(&self) -> Result<()> {
        check::inside("significance", self.significance)?;
        check::not_negative("least_effect", self.least_effect)?;
        if self.least_segment < 2 {
            let value = self.least_segment as f64;
            return Err(Error::OutOfRange { what: "least_segment", value, range: "[2, ∞)" });
        }
        Ok(())
    }
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The position of the first value of the new level.
    pub index: usize,
    /// At most how likely a change as clear as this is found anywhere between the change points before
    /// and after it where the level does not change.
    pub p_value: f64,
    /// The mean of the segment before, from the previous change point on, in the unit of the values.
    pub before: f64,
    /// The mean of the segment after, up to the next change point, in the unit of the values.
    pub after: f64,
}

/// The change points of a series in the order in which it was measured, in order of their index.
///
/// The series is split where a split is clearest, and so are its parts, until no split of a part is
/// significant (binary segmentation). A series of independent values without a change, however they are
/// distributed, has a change point with a probability of at most `significance`. So has, by a correction
/// that is estimated, an autoregressive series whose neighbours correlate by up to 0.3; at 0.6 the
/// probability is up to three times that (`datasets/series_tests.csv`). Fewer than ten values are too few
/// for any change to be clear at 0.01, whatever its size: their ranks have no smaller p-value. A value that
/// equals one on the other side counts against a change. Time grows with n log² n.
///
/// # Errors
/// [`Error::NotFinite`], [`Error::OutOfRange`] for the rules.
pub fn change_points(values: &[f64], rules: &Rules) -> Result<Vec<ChangePoint>> {
    rules.check()?;
    check::finite(values, 0)?;
    let near_one = scaled(values);
    let strong = strong_points(&near_one, split_points(&near_one, rules)?, rules)?;
    let starts = [0].into_iter().chain(strong.iter().map(|(index, _)| *index));
    let ends = strong.iter().map(|(index, _)| *index).chain([values.len()]);
    let means: Vec<f64> = starts.zip(ends).map(|(start, end)| mean_of(&values[start..end])).collect();
    let levels = means.windows(2);
    Ok(strong
        .into_iter()
        .zip(levels)
        .map(|((index, p_value), level)| ChangePoint { index, p_value, before: level[0], after: level[1] })
        .collect())
}

/// Where the series and its parts are split, in order.
fn split_points(values: &[f64], rules: &Rules) -> Result<Vec<usize>> {
    let mut points = Vec::new();
    let mut open = vec![0..values.len()];
    while let Some(part) = open.pop() {
        let split = clearest_split(&values[part.clone()], rules.least_segment)?;
        if let Some(split) = split.filter(|split| split.p_value <= rules.significance) {
            let middle = part.start + split.index;
            points.push(middle);
            open.extend([part.start..middle, middle..part.end]);
        }
    }
    points.sort_unstable();
    Ok(points)
}

/// Up to so many values on one side the normal approximation is far too large.
const FEW: usize = 12;
/// A split is the better one only beyond what rounding does.
const ROUNDING: f64 = 1e-9;
/// Less of the squares within levels, as a share of all, is rounding.
const NOTHING: f64 = 1e-12;

/// A split with its p-value for the whole search.
struct Split {
    index: usize,
    p_value: f64,
}

/// The clearest split of `values` within any of the stretches that are searched; `None` where there is none.
fn clearest_split(values: &[f64], least: usize) -> Result<Option<Split>> {
    let stretches = stretches(values.len(), least);
    clearest_of(values, &stretches, &Tried::of(&stretches, least), least)
}

/// The clearest split of all `values` into two.
fn clearest_of_all(values: &[f64], least: usize) -> Result<Option<Split>> {
    let stretches = stretches(values.len(), least);
    clearest_of(values, &stretches[..1], &Tried::of(&stretches, least), least)
}

/// Any choice among the splits will do for the level of the test, since the p-value is one of all that are
/// tried; so they are compared by approximations in constant time, and the one chosen is judged.
fn clearest_of(values: &[f64], stretches: &[Range<usize>], tried: &[Tried; 2], least: usize) -> Result<Option<Split>> {
    let [whole, shorter] = tried;
    let with = |stretch: &Range<usize>| if stretch.len() == values.len() { whole } else { shorter };
    let mut best: Option<(f64, &Range<usize>, usize)> = None;
    for stretch in stretches {
        // One factor for each of the two p-values.
        let ln_splits = 2.0 * with(stretch).splits().ln();
        let beat = best.map(|(ln_p, ..)| ln_p - ln_splits);
        if let Some((ln_p, index)) = clearest_within(&values[stretch.clone()], least, beat) {
            best = Some((ln_p + ln_splits, stretch, stretch.start + index));
        }
    }
    let Some((_, stretch, index)) = best else { return Ok(None) };
    Ok(Some(Split { index, p_value: p_value(values, stretch, index, with(stretch))? }))
}

/// The index of the split within a stretch that has the smallest product of both p-values, and its logarithm, if
/// it is below `beat`.
///
/// The product, since the ranks of a large step are as clear one value beside it, where the means are not.
fn clearest_within(values: &[f64], least: usize, mut beat: Option<f64>) -> Option<(f64, usize)> {
    let ranks = Ranks::new(values);
    let n = values.len() as f64;
    let mean = mean_of(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let per_pair = (n + 1.0 - ranks.tie_term / (n * (n - 1.0))) / 12.0;
    if per_pair <= 0.0 {
        return None;
    }
    let (mut ranks_left, mut sum_left) = (0.0, 0.0);
    let mut best = None;
    for (before, (rank, value)) in ranks.of.iter().zip(values).enumerate() {
        let index = before + 1;
        ranks_left += rank;
        sum_left += value - mean;
        if index < least || values.len() - index < least {
            continue;
        }
        let (k, pairs) = (index as f64, index as f64 * (n - index as f64));
        let distance = (ranks_left - k * (n + 1.0) / 2.0).abs();
        let mut ln_p = normal::ln_two_sided((distance - 0.5).max(0.0) / (per_pair * pairs).sqrt());
        let few = index.min(values.len() - index);
        if few <= FEW {
            ln_p = ln_p.min(ln_bound(pairs / 2.0 - distance, few, values.len())).max(ln_separated(few, values.len()));
        }
        // The likelihood ratio of one level against two: p-values of Student's test in order, but cheaper.
        let within = (1.0 - sum_left * sum_left * n / pairs / squares).max(NOTHING);
        ln_p += (n - 2.0) / 2.0 * within.ln();
        if beat.is_none_or(|beat| ln_p < beat - ROUNDING) {
            (best, beat) = (Some((ln_p, index)), Some(ln_p));
        }
    }
    best
}

/// The points that are significant and large enough between the segments that remain, each moved to where
/// the values between its neighbours part most clearly, with their p-values. Each round drops the point with
/// the largest p-value, or if all are significant that of the smallest effect (Fleming et al., *Hunter*,
/// ICPE 2023), and judges the others again.
fn strong_points(values: &[f64], mut points: Vec<usize>, rules: &Rules) -> Result<Vec<(usize, f64)>> {
    loop {
        let mut p_values = Vec::with_capacity(points.len());
        for at in 0..points.len() {
            let start = if at == 0 { 0 } else { points[at - 1] };
            let end = points.get(at + 1).copied().unwrap_or(values.len());
            let split = clearest_of_all(&values[start..end], rules.least_segment)?;
            points[at] = split.as_ref().map_or(points[at], |split| start + split.index);
            p_values.push(split.map_or(1.0, |split| split.p_value));
        }
        let starts = [0].into_iter().chain(points.iter().copied());
        let ends = points.iter().copied().chain([values.len()]);
        let means: Vec<f64> = starts.zip(ends).map(|(start, end)| mean_of(&values[start..end])).collect();
        let Some(drop) = weakest(&p_values, &means, rules) else {
            return Ok(points.into_iter().zip(p_values).collect());
        };
        points.remove(drop);
    }
}

/// The point to drop next, if any, by the p-values of the points and the means of the segments.
fn weakest(p_values: &[f64], means: &[f64], rules: &Rules) -> Option<usize> {
    let by_chance = (0..p_values.len()).max_by(|&a, &b| p_values[a].total_cmp(&p_values[b]))?;
    if p_values[by_chance] > rules.significance {
        return Some(by_chance);
    }
    let effects: Vec<f64> = means.windows(2).map(|means| effect(means[0], means[1])).collect();
    (0..effects.len()).min_by(|&a, &b| effects[a].total_cmp(&effects[b])).filter(|&at| effects[at] < rules.least_effect)
}

/// The change as a share of the mean before; infinite from zero.
fn effect(before: f64, after: f64) -> f64 {
    let change = (after - before).abs();
    if change == 0.0 { 0.0 } else { change / before.abs() }
}
