//! The verdict on two runs taken one after the other.

use super::decide::Evidence;
use super::{Reason, Rules, Scope, Verdict};
use crate::interval::log_ratio_from;
use crate::{Error, Moments, Result};

/// The verdict on unpaired times of two runs, one of each replicate: descriptive, because whatever changed
/// between the runs counts as a difference, and never `equivalent`.
///
/// The interval is that of [`ratio_interval`](crate::ratio_interval). `replicates` is 0 and `blocks`
/// the number of times in the smaller sample; below `rules.student_replicates` it is `undecided`.
///
/// # Errors
/// Those of [`ratio_interval`](crate::ratio_interval), except that times which do not vary are
/// `undecided`, and [`Error::OutOfRange`] for the rules.
pub fn sequential_verdict(candidate: &[f64], baseline: &[f64], rules: &Rules) -> Result<Verdict> {
    sequential_verdict_from(&Moments::of(candidate)?, &Moments::of(baseline)?, rules)
}

/// [`sequential_verdict`] of moments.
///
/// # Errors
/// Those of [`sequential_verdict`].
pub fn sequential_verdict_from(candidate: &Moments, baseline: &Moments, rules: &Rules) -> Result<Verdict> {
    rules.check()?;
    let evidence = |log_ratio| Evidence {
        log_ratio,
        scope: Scope::Sequential,
        replicates: 0,
        blocks: usize::try_from(candidate.n.min(baseline.n)).unwrap_or(usize::MAX),
    };
    match log_ratio_from(candidate, baseline) {
        Ok(ratio) => evidence(ratio.estimate).decide(ratio.standard_error, ratio.df, rules),
        Err(Error::Constant) => evidence(baseline.mean.ln() - candidate.mean.ln()).undecided(Reason::NoVariation),
        Err(other) => Err(other),
    }
}
