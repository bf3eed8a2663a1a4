//! Weak change points: the splits that any window accepts.

use super::energy::{Split, best_split};
use super::{Rules, student};
use crate::{Moments, Result};

/// A stretch of values that is not split yet.
struct Part {
    start: usize,
    end: usize,
    split: Option<Split>,
}

/// The weak points of the whole series, in order and at least `least_segment` apart.
///
/// Windows overlap by half, and a window starts no earlier than the last point found before it.
pub(super) fn weak_points(values: &[f64], rules: &Rules) -> Result<Vec<usize>> {
    let mut points = Vec::new();
    let mut start = 0;
    while values.len() - start >= 2 * rules.least_segment {
        let end = start.saturating_add(rules.window).min(values.len());
        let found = divide(&values[start..end], rules)?;
        points.extend(found.iter().map(|index| start + index));
        start += found.last().map_or(0, |&last| last).max(rules.window / 2);
        start = start.min(values.len());
    }
    Ok(points)
}

/// Splits a window at the strongest split of any part, again and again, until that split is not
/// even weakly significant.
fn divide(window: &[f64], rules: &Rules) -> Result<Vec<usize>> {
    let part =
        |start: usize, end: usize| Part { start, end, split: best_split(&window[start..end], rules.least_segment) };
    let mut parts = vec![part(0, window.len())];
    let mut points = Vec::new();
    let energy = |part: &Part| part.split.map_or(f64::NEG_INFINITY, |s| s.energy);
    while let Some(strongest) = (0..parts.len()).max_by(|&a, &b| energy(&parts[a]).total_cmp(&energy(&parts[b]))) {
        let Part { start, end, split: Some(split) } = parts[strongest] else { break };
        let middle = start + split.index;
        let (before, after) = (Moments::of(&window[start..middle])?, Moments::of(&window[middle..end])?);
        if student::p_value(&before, &after) > rules.weak_significance() {
            break;
        }
        parts[strongest] = part(start, middle);
        parts.push(part(middle, end));
        points.push(middle);
    }
    points.sort_unstable();
    Ok(points)
}
