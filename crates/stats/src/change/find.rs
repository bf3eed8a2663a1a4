//! The search for change points.

use super::merge::strong_points;
use super::search::clearest_split;
use super::{ChangePoint, Rules};
use crate::describe::mean_of;
use crate::scale::scaled;
use crate::{Result, check};

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
/// [`Error::NotFinite`](crate::Error::NotFinite), [`Error::OutOfRange`](crate::Error::OutOfRange) for
/// the rules.
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
