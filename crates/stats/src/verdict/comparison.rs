//! The verdict on one comparison by itself: on paired blocks, or on two runs taken one after the other.

use super::suite::allowed;
use super::{Label, Reason, Rules, Scope, Verdict};
use crate::bootstrap::{SeriesMean, hierarchical_interval, series_mean};
use crate::describe::mean_of;
use crate::dist::student;
use crate::interval::log_ratio_from;
use crate::plan::inflation;
use crate::{Error, Interval, Moments, Result, check};
use std::collections::BTreeMap;

/// The verdict on blocks `(replicate, log_ratio)` with log_ratio = ln(baseline time / candidate
/// time), the blocks of each replicate in the order in which they were measured.
///
/// From `rules.student_replicates` replicates on, the interval is Student's over replicate means, wider
/// where `rules.pilot` says that their number was planned from some of them. Means that do not vary at all are
/// exact where `rules.exact` says so, and tell nothing elsewhere.
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
    let mut verdict = if squared_error > 0.0 || rules.exact {
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

/// What a verdict is about.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    log_ratio: f64,
    scope: Scope,
    replicates: usize,
    blocks: usize,
}

impl Evidence {
    /// The verdict where the spread is not known.
    fn undecided(self, reason: Reason) -> Result<Verdict> {
        Ok(Verdict {
            label: Label::Undecided,
            reason,
            scope: self.scope,
            ratio: check::number(self.log_ratio.exp())?,
            low: None,
            high: None,
            equivalence_low: None,
            equivalence_high: None,
            minimum_detectable_effect: None,
            standard_error: None,
            df: None,
            p_value: None,
            equivalence_p: None,
            replicates: self.replicates,
            blocks: self.blocks,
            hierarchical: None,
        })
    }

    /// The verdict from the standard error of the log ratio and its degrees of freedom; an error of zero is exact.
    fn decide(self, standard_error: f64, df: f64, rules: &Rules) -> Result<Verdict> {
        let reach = student::critical(rules.level, df) * standard_error;
        let equivalence_reach = student::critical(rules.equivalence_level, df) * standard_error;
        let direction = Interval::around(self.log_ratio, reach, rules.level)?.exp()?;
        let equivalence = Interval::around(self.log_ratio, equivalence_reach, rules.equivalence_level)?.exp()?;
        // Where the error is so small that t overflows, p is 0 or 1 all the same.
        let t_of = |distance: f64| {
            if distance == 0.0 { 0.0 } else { (distance / standard_error).clamp(f64::MIN, f64::MAX) }
        };
        let p_value = student::two_sided(t_of(self.log_ratio), df);
        let equivalence_p = student::above(t_of(rules.log_margin() - self.log_ratio.abs()), df);
        let (label, reason) = self.label(p_value, equivalence_p, equivalence_reach, rules);
        // Fewer processes give no test that may enter a family.
        let tested = !self.is_few(rules);
        let detectable = reach + student::upper_quantile(1.0 - rules.power, df) * standard_error;
        Ok(Verdict {
            label,
            reason,
            low: Some(direction.low),
            high: Some(direction.high),
            equivalence_low: Some(equivalence.low),
            equivalence_high: Some(equivalence.high),
            minimum_detectable_effect: Some(check::number(detectable)?),
            standard_error: Some(standard_error),
            df: Some(df),
            p_value: tested.then_some(p_value),
            equivalence_p: tested.then_some(equivalence_p),
            ..self.undecided(reason)?
        })
    }

    /// Whether it is about too few processes to tell how much they differ.
    fn is_few(self, rules: &Rules) -> bool {
        match self.scope {
            Scope::AcrossReplicates => false,
            Scope::Sequential => self.blocks < rules.student_replicates,
            Scope::TooFewReplicates | Scope::WithinOneProcess => true,
        }
    }

    fn label(self, p_value: f64, equivalence_p: f64, equivalence_reach: f64, rules: &Rules) -> (Label, Reason) {
        if self.is_few(rules) {
            return (Label::Undecided, Reason::FewReplicates);
        }
        match allowed(self.log_ratio, Some(p_value), Some(equivalence_p), rules) {
            Some((Label::Equivalent, _)) if self.scope == Scope::Sequential => {
                (Label::Undecided, Reason::SequentialNeverEquivalent)
            }
            Some(said) => said,
            None if equivalence_reach > rules.log_margin() => (Label::Undecided, Reason::TooNoisy),
            None => (Label::Undecided, Reason::NearMargin),
        }
    }
}
