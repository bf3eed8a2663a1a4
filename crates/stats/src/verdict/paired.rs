//! The verdict on paired blocks, by itself.

use super::decide::Evidence;
use super::{Reason, Rules, Scope, Verdict};
use crate::bootstrap::{SeriesMean, hierarchical_interval, series_mean};
use crate::describe::mean_of;
use crate::plan::inflation;
use crate::{Error, Interval, Moments, Result, check};
use std::collections::BTreeMap;

/// The verdict on blocks `(replicate, log_ratio)` with log_ratio = ln(baseline time / candidate
/// time), the blocks of each replicate in the order in which they were measured.
///
/// From `rules.student_replicates` replicates on, the interval is Student's over replicate means, wider
/// where `rules.pilot` says that their number was planned from some of them.
/// With fewer, the verdict is `undecided` and has no p-value. Its interval describes these processes alone: the
/// error is that of a circular block bootstrap within each, its multiplier Student's by the number of blocks.
///
/// # Errors
/// [`Error::TooFew`] for no block, [`Error::NotFinite`] with the position of the block,
/// [`Error::OutOfRange`] for the rules, [`Error::Overflow`]. Blocks that are too few or do not vary
/// are no error, but `undecided`.
pub fn paired_verdict(blocks: &[(i64, f64)], rules: &Rules) -> Result<Verdict> {
    rules.check()?;
    if blocks.is_empty() {
        return Err(Error::TooFew { needed: 1, got: 0 });
    }
    if let Some(index) = blocks.iter().position(|(_, log_ratio)| !log_ratio.is_finite()) {
        return Err(Error::NotFinite { index });
    }
    let mut by_replicate: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for &(replicate, log_ratio) in blocks {
        by_replicate.entry(replicate).or_default().push(log_ratio);
    }
    let replicates: Vec<&[f64]> = by_replicate.values().map(Vec::as_slice).collect();
    if replicates.len() >= rules.student_replicates {
        across(&replicates, blocks.len(), rules)
    } else {
        within(&replicates, blocks.len(), rules)
    }
}

/// Student's interval over replicate means.
fn across(replicates: &[&[f64]], blocks: usize, rules: &Rules) -> Result<Verdict> {
    let means: Vec<f64> = replicates.iter().map(|r| mean_of(r)).collect();
    let moments = Moments::of(&means)?;
    let count = replicates.len();
    let log_ratio = moments.mean()?;
    let evidence = Evidence { log_ratio, scope: Scope::AcrossReplicates, replicates: count, blocks };
    let planned = rules.pilot.map_or(1.0, |pilot| inflation(pilot, count));
    let squared_error = check::number(moments.variance_of_mean()? * planned)?;
    let mut verdict = if squared_error > 0.0 {
        evidence.decide(squared_error.sqrt(), (count - 1) as f64, rules)?
    } else {
        evidence.undecided(Reason::NoVariation)?
    };
    if squared_error > 0.0 && count >= rules.hierarchical_replicates {
        verdict.hierarchical = Some(hierarchical(replicates, log_ratio, rules)?);
    }
    Ok(verdict)
}

fn hierarchical(replicates: &[&[f64]], log_ratio: f64, rules: &Rules) -> Result<Interval> {
    hierarchical_interval(replicates, log_ratio, rules.level, rules.draws, rules.seed)?.exp()
}

/// The block bootstrap within each of a few processes: how much processes differ stays unknown.
fn within(replicates: &[&[f64]], blocks: usize, rules: &Rules) -> Result<Verdict> {
    let count = replicates.len();
    let scope = if count == 1 { Scope::WithinOneProcess } else { Scope::TooFewReplicates };
    let means: Vec<f64> = replicates.iter().map(|r| mean_of(r)).collect();
    let evidence = Evidence { log_ratio: mean_of(&means), scope, replicates: count, blocks };
    if replicates.iter().any(|r| r.len() < rules.least_blocks) {
        return evidence.undecided(Reason::TooFewBlocks);
    }
    let series: Vec<SeriesMean> = replicates.iter().map(|r| series_mean(r)).collect();
    let total: f64 = series.iter().map(|s| s.variance).sum();
    if !total.is_finite() {
        return Err(Error::Overflow);
    }
    if total <= 0.0 {
        return evidence.undecided(Reason::NoVariation);
    }
    // Welch & Satterthwaite for the sum of the variances, each by its own blocks.
    let df = 1.0 / series.iter().map(|s| (s.variance / total).powi(2) / s.df).sum::<f64>();
    evidence.decide(total.sqrt() / count as f64, df, rules)
}
