//! Merging segments whose difference is too weak or too small, from the bottom up.

use super::{Rules, student};
use crate::{Moments, Result};

/// A change point that still stands.
struct Standing {
    index: usize,
    p_value: f64,
}

/// The points that are significant and large enough between the segments that remain, with their
/// p-values. Each round drops the point with the largest p-value, or if all are significant that of the
/// smallest effect (Fleming et al. 2023), and judges its neighbours again.
pub(super) fn strong_points(values: &[f64], weak: &[usize], rules: &Rules) -> Result<Vec<(usize, f64)>> {
    let ends = weak.iter().copied().chain([values.len()]);
    let starts = [0].into_iter().chain(weak.iter().copied());
    let mut segments = starts.zip(ends).map(|(a, b)| Moments::of(&values[a..b])).collect::<Result<Vec<_>>>()?;
    let judge = |segments: &[Moments], at: usize| student::p_value(&segments[at], &segments[at + 1]);
    let mut points: Vec<Standing> =
        weak.iter().enumerate().map(|(at, &index)| Standing { index, p_value: judge(&segments, at) }).collect();
    while let Some(drop) = weakest(&points, &segments, rules) {
        points.remove(drop);
        let absorbed = segments.remove(drop + 1);
        segments[drop].merge(&absorbed);
        for at in drop.saturating_sub(1)..(drop + 1).min(points.len()) {
            points[at].p_value = judge(&segments, at);
        }
    }
    Ok(points.into_iter().map(|point| (point.index, point.p_value)).collect())
}

/// The point to drop next, if any.
fn weakest(points: &[Standing], segments: &[Moments], rules: &Rules) -> Option<usize> {
    let by_chance = (0..points.len()).max_by(|&a, &b| points[a].p_value.total_cmp(&points[b].p_value))?;
    if points[by_chance].p_value > rules.significance {
        return Some(by_chance);
    }
    let effect = |at: usize| effect(segments[at].mean, segments[at + 1].mean);
    (0..points.len()).min_by(|&a, &b| effect(a).total_cmp(&effect(b))).filter(|&at| effect(at) < rules.least_effect)
}

/// The change as a share of the mean before; infinite from zero.
fn effect(before: f64, after: f64) -> f64 {
    let change = (after - before).abs();
    if change == 0.0 { 0.0 } else { change / before.abs() }
}
