//! Dropping points that are not clear, or too small, between their neighbours.

use super::Rules;
use super::search::clearest_of_all;
use crate::Result;
use crate::describe::mean_of;

/// The points that are significant and large enough between the segments that remain, each moved to where
/// the values between its neighbours part most clearly, with their p-values. Each round drops the point with
/// the largest p-value, or if all are significant that of the smallest effect (Fleming et al., *Hunter*,
/// ICPE 2023), and judges the others again.
pub(super) fn strong_points(values: &[f64], mut points: Vec<usize>, rules: &Rules) -> Result<Vec<(usize, f64)>> {
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
