//! The settings of a verdict.

use crate::{Error, Result, check};

/// The rules by which a verdict is reached. Fix them before the data are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The confidence level of the direction interval: 0.95.
    pub level: f64,
    /// The confidence level of the size interval: 0.90, for two one-sided tests at 5 %.
    pub size_level: f64,
    /// The power at which the minimum detectable effect is stated: 0.90.
    pub power: f64,
    /// The practical margin as a share: 0.01 calls ratios in [1/1.01, 1.01] equivalent. The same
    /// either way, so that exchanging candidate and baseline exchanges faster and slower only.
    pub margin: f64,
    /// Replicates from which the interval is Student's over their means: 5.
    pub student_replicates: usize,
    /// Replicates from which the hierarchical bootstrap stands beside it: 10; `usize::MAX` for never.
    pub hierarchical_replicates: usize,
    /// Blocks of a process below which it says nothing of its spread: 5.
    pub least_blocks: usize,
    /// How many times the hierarchical bootstrap draws: 4,000.
    pub draws: usize,
    /// The seed of those draws.
    pub seed: u64,
    /// The replicates of the pilot, at least 5, where the number of replicates was planned from it and they
    /// count as well: widens the intervals across replicates as that needs. `None` where the number was fixed
    /// before anything was measured.
    pub pilot: Option<usize>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            level: 0.95,
            size_level: 0.90,
            power: 0.90,
            margin: 0.01,
            student_replicates: 5,
            hierarchical_replicates: 10,
            least_blocks: 5,
            draws: 4_000,
            seed: 0,
            pilot: None,
        }
    }
}

impl Rules {
    /// The margin on the log ratio.
    pub(super) fn log_margin(&self) -> f64 {
        self.margin.ln_1p()
    }

    pub(super) fn check(&self) -> Result<()> {
        check::level(self.level)?;
        check::inside("size_level", self.size_level)?;
        check::power(self.power)?;
        if !(self.margin > 0.0 && self.margin.is_finite()) {
            return Err(Error::OutOfRange { what: "margin", value: self.margin, range: "(0, ∞)" });
        }
        let at_least = |what, value: usize, least: usize, range| {
            if value < least { Err(Error::OutOfRange { what, value: value as f64, range }) } else { Ok(()) }
        };
        at_least("student_replicates", self.student_replicates, 2, "[2, ∞)")?;
        at_least("hierarchical_replicates", self.hierarchical_replicates, 2, "[2, ∞)")?;
        at_least("least_blocks", self.least_blocks, 2, "[2, ∞)")?;
        at_least("pilot", self.pilot.unwrap_or(usize::MAX), 5, "[5, ∞)")?;
        at_least("draws", self.draws, 100, "[100, ∞)")
    }
}
