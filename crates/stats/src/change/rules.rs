//! The settings of a search for change points.

use crate::{Error, Result, check};

/// The rules by which change points are found. Fix them before the data are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The largest p-value of a change point, inside (0, 1): 0.001.
    pub significance: f64,
    /// The least change that counts, as a share of the mean before it: 0.0.
    pub least_effect: f64,
    /// The fewest values that make a level, at least 2: 2.
    pub least_segment: usize,
    /// How many values are searched at a time, at least two levels: 50. Time grows with it, and so do
    /// the shifts that are small but last long enough to be found.
    pub window: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { significance: 0.001, least_effect: 0.0, least_segment: 2, window: 50 }
    }
}

impl Rules {
    /// The p-value up to which a split is a weak point, which merging then judges: ten times the
    /// significance, as in Apache Otava.
    pub(super) fn weak_significance(&self) -> f64 {
        (10.0 * self.significance).min(1.0)
    }

    pub(super) fn check(&self) -> Result<()> {
        check::inside("significance", self.significance)?;
        if !(self.least_effect >= 0.0 && self.least_effect.is_finite()) {
            return Err(Error::OutOfRange { what: "least_effect", value: self.least_effect, range: "[0, ∞)" });
        }
        if self.least_segment < 2 {
            let value = self.least_segment as f64;
            return Err(Error::OutOfRange { what: "least_segment", value, range: "[2, ∞)" });
        }
        if self.window / 2 < self.least_segment {
            let value = self.window as f64;
            return Err(Error::OutOfRange { what: "window", value, range: "[2 × least_segment, ∞)" });
        }
        Ok(())
    }
}
