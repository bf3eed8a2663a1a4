//! A place where the level of a series changes.

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The position of the first value of the new level.
    pub index: usize,
    /// The two-sided p-value of Student's test of the segment before against the segment after, as if
    /// the split had been given beforehand: it ranks points, but is smaller than the chance of one.
    /// 0 where the level changes and neither segment varies.
    pub p_value: f64,
    /// The mean of the segment before, from the previous change point on, in the unit of the values.
    pub before: f64,
    /// The mean of the segment after, up to the next change point, in the unit of the values.
    pub after: f64,
}
