//! Verdicts: what a comparison may say, and why.
//!
//! Inference is on log ratios of paired blocks, averaged within a replicate. *Direction* holds where
//! the interval of the ratio excludes 1; *equivalence* holds where a narrower interval lies inside the
//! practical margin (two one-sided tests, Schuirmann 1987). `equivalent` if equivalence holds, else `faster`
//! or `slower` if direction holds, else `undecided`. A comparison is one of a family, and [`judge`] has the last
//! word on all of it.

mod comparison;
mod suite;
mod words;

pub use comparison::{paired_verdict, sequential_verdict, sequential_verdict_from};
pub use suite::{Judgement, Member, judge};
pub use words::{Label, Reason, SEEN_REPLICATES, Scope, unseen_share};

use crate::{Error, Interval, Result, check};

/// The rules by which a verdict is reached. Fix them before the data are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The confidence level of the direction interval: 0.95.
    pub level: f64,
    /// The confidence level of the equivalence interval: 0.90, for two one-sided tests at 5 %.
    pub equivalence_level: f64,
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
    /// Whether ratios that do not vary at all are exact, as those of counted bytes or of a computed error are: the
    /// interval then is the ratio itself. Of times they are the sign of a clock that is too coarse, and tell nothing.
    pub exact: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            level: 0.95,
            equivalence_level: 0.90,
            power: 0.90,
            margin: 0.01,
            student_replicates: 5,
            hierarchical_replicates: 10,
            least_blocks: 5,
            draws: 4_000,
            seed: 0,
            pilot: None,
            exact: false,
        }
    }
}

impl Rules {
    /// The margin on the log ratio.
    fn log_margin(&self) -> f64 {
        self.margin.ln_1p()
    }

    fn check(&self) -> Result<()> {
        check::level(self.level)?;
        check::inside("equivalence_level", self.equivalence_level)?;
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

/// The outcome of a comparison. Ratios are baseline time / candidate time: above 1 says that the
/// candidate is faster. Those of another metric are turned so that above 1 the candidate is better. Bounds are
/// `None` where the data tell nothing of their own spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What the comparison says.
    pub label: Label,
    /// Why it says so.
    pub reason: Reason,
    /// What the spread was taken over; only [`Scope::AcrossReplicates`] may gate.
    pub scope: Scope,
    /// The estimated ratio: the exponential of the mean log ratio.
    pub ratio: f64,
    /// The lower bound of the direction interval of the ratio (95 % by default).
    pub low: Option<f64>,
    /// The upper bound of the direction interval of the ratio.
    pub high: Option<f64>,
    /// The lower bound of the equivalence interval of the ratio (90 % by default).
    pub equivalence_low: Option<f64>,
    /// The upper bound of the equivalence interval of the ratio.
    pub equivalence_high: Option<f64>,
    /// (t.975 + t.90) × the standard error, on the log ratio: for small values, the relative
    /// difference that would have been found with 90 % power.
    pub minimum_detectable_effect: Option<f64>,
    /// The standard error of the log ratio.
    pub standard_error: Option<f64>,
    /// The degrees of freedom of its Student multiplier.
    pub df: Option<f64>,
    /// Student's two-sided p-value of the direction: the log ratio against 0. Only across replicates: what is said
    /// of fewer processes is no test of the ratio.
    pub p_value: Option<f64>,
    /// The larger p-value of the two one-sided tests of a log ratio outside the margin; only across replicates.
    pub equivalence_p: Option<f64>,
    /// How many replicates were compared.
    pub replicates: usize,
    /// How many blocks were compared, all replicates together.
    pub blocks: usize,
    /// The hierarchical bootstrap interval of the ratio at the direction level, from ten replicates.
    pub hierarchical: Option<Interval>,
}
