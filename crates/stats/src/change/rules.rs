//! The settings of a search for change points.

use crate::{Error, Result, check};

/// The rules by which change points are found. Fix them before the data are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The largest probability, inside (0, 1), with which a series without a change may have a change
    /// point at all, however many splits are tried: 0.01.
    pub significance: f64,
    /// The least change that counts, as a share of the mean before it: 0.0.
    pub least_effect: f64,
    /// The fewest values that make a level, at least 2: 2.
    pub least_segment: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { significance: 0.01, least_effect: 0.0, least_segment: 2 }
    }
}

impl Rules {
    pub(super) fn check(&self) -> Result<()> {
        check::inside("significance", self.significance)?;
        check::not_negative("least_effect", self.least_effect)?;
        if self.least_segment < 2 {
            let value = self.least_segment as f64;
            return Err(Error::OutOfRange { what: "least_segment", value, range: "[2, ∞)" });
        }
        Ok(())
    }
}
