//! An estimate between its bounds.

use crate::{Result, check};

/// An estimate with the bounds of its confidence interval, in the unit of the estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The point estimate.
    pub estimate: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// The confidence level asked for, inside (0, 1).
    pub level: f64,
}

impl Interval {
    /// Whether a value lies between the bounds, bounds included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The interval `estimate ± reach`.
    pub(crate) fn around(estimate: f64, reach: f64, level: f64) -> Result<Self> {
        Ok(Self {
            estimate: check::number(estimate)?,
            low: check::number(estimate - reach)?,
            high: check::number(estimate + reach)?,
            level,
        })
    }

    /// From logarithms back to ratios.
    pub(crate) fn exp(self) -> Result<Self> {
        Ok(Self {
            estimate: check::number(self.estimate.exp())?,
            low: check::number(self.low.exp())?,
            high: check::number(self.high.exp())?,
            level: self.level,
        })
    }
}
