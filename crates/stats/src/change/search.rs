//! The clearest split of a series.

use super::judge::{ln_bound, p_value};
use super::tried::{Tried, ln_separated, stretches};
use crate::Result;
use crate::describe::mean_of;
use crate::dist::normal;
use crate::hypothesis::Ranks;
use std::ops::Range;

/// Up to so many values on one side the normal approximation is far too large.
const FEW: usize = 12;
/// A split is the better one only beyond what rounding does.
const ROUNDING: f64 = 1e-9;
/// Less of the squares within levels, as a share of all, is rounding.
const NOTHING: f64 = 1e-12;

/// A split with its p-value for the whole search.
pub(super) struct Split {
    pub(super) index: usize,
    pub(super) p_value: f64,
}

/// The clearest split of `values` within any of the stretches that are searched; `None` where there is none.
pub(super) fn clearest_split(values: &[f64], least: usize) -> Result<Option<Split>> {
    let stretches = stretches(values.len(), least);
    clearest_of(values, &stretches, &Tried::of(&stretches, least), least)
}

/// The clearest split of all `values` into two.
pub(super) fn clearest_of_all(values: &[f64], least: usize) -> Result<Option<Split>> {
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
