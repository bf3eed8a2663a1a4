//! A verdict with all that it rests on.

use super::{Label, Reason, Scope};
use crate::Interval;

/// The outcome of a comparison. Ratios are baseline time / candidate time: above 1 says that the
/// candidate is faster. Bounds are `None` where the data tell nothing of their own spread.
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
    /// The lower bound of the size interval of the ratio (90 % by default).
    pub size_low: Option<f64>,
    /// The upper bound of the size interval of the ratio.
    pub size_high: Option<f64>,
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
