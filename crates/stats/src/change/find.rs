//! The search for change points.

use super::merge::strong_points;
use super::split::weak_points;
use super::{ChangePoint, Rules};
use crate::describe::mean_of;
use crate::scale::scaled;
use crate::{Result, check};

/// The change points of a series in the order in which it was measured, in order of their index.
///
/// A series that is constant, or shorter than two segments, has none. Time grows with n × the window.
/// Values are taken to be independent around their level: on series that are correlated, or have lone
/// spikes, it finds more points than there are changes.
///
/// # Errors
/// [`Error::NotFinite`](crate::Error::NotFinite), [`Error::OutOfRange`](crate::Error::OutOfRange) for
/// the rules.
pub fn change_points(values: &[f64], rules: &Rules) -> Result<Vec<ChangePoint>> {
    rules.check()?;
    check::finite(values, 0)?;
    let near_one = scaled(values);
    let strong = strong_points(&near_one, &weak_points(&near_one, rules)?, rules)?;
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
