//! Speedups by name.

use crate::{Result, check};
use std::fmt;

/// The category of a speedup, as the field reports it beside a verdict: it says nothing of certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Above 1.5×.
    Excellent,
    /// From 1.2× to 1.5×.
    Good,
    /// From 1.0× to 1.2×.
    Measured,
    /// Below 1.0×: slower than the baseline.
    Investigate,
}

impl Category {
    /// Every category, from the best.
    pub const ALL: [Self; 4] = [Self::Excellent, Self::Good, Self::Measured, Self::Investigate];

    /// The category as tables and queries show it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Excellent => "excellent",
            Self::Good => "good",
            Self::Measured => "measured",
            Self::Investigate => "investigate",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The category of a ratio baseline time / candidate time. A ratio on an edge belongs to the middle
/// categories: 1.5 and 1.2 are good, 1.0 is measured.
///
/// # Errors
/// [`Error::OutOfRange`](crate::Error::OutOfRange) for a ratio outside (0, ∞).
pub fn category(ratio: f64) -> Result<Category> {
    check::above_zero("ratio", ratio)?;
    Ok(match ratio {
        r if r > 1.5 => Category::Excellent,
        r if r >= 1.2 => Category::Good,
        r if r >= 1.0 => Category::Measured,
        _ => Category::Investigate,
    })
}
