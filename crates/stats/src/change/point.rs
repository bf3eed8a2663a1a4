//! A place where the level of a series changes.

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
