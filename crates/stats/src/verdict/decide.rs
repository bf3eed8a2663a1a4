//! From an estimate and its error to a verdict.

use super::suite::allowed;
use super::{Label, Reason, Rules, Scope, Verdict};
use crate::dist::student;
use crate::{Interval, Result, check};

/// What a verdict is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    pub(super) log_ratio: f64,
    pub(super) scope: Scope,
    pub(super) replicates: usize,
    pub(super) blocks: usize,
}

impl Evidence {
    /// The verdict where the spread is not known.
    pub(super) fn undecided(self, reason: Reason) -> Result<Verdict> {
        Ok(Verdict {
            label: Label::Undecided,
            reason,
            scope: self.scope,
            ratio: check::number(self.log_ratio.exp())?,
            low: None,
            high: None,
            size_low: None,
            size_high: None,
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

    /// The verdict from the standard error of the log ratio, above zero, and its degrees of freedom.
    pub(super) fn decide(self, standard_error: f64, df: f64, rules: &Rules) -> Result<Verdict> {
        let reach = student::critical(rules.level, df) * standard_error;
        let size_reach = student::critical(rules.size_level, df) * standard_error;
        let direction = Interval::around(self.log_ratio, reach, rules.level)?.exp()?;
        let size = Interval::around(self.log_ratio, size_reach, rules.size_level)?.exp()?;
        // Where the error is so small that t overflows, p is 0 or 1 all the same.
        let t_of = |distance: f64| (distance / standard_error).clamp(f64::MIN, f64::MAX);
        let p_value = student::two_sided(t_of(self.log_ratio), df);
        let equivalence_p = student::above(t_of(rules.log_margin() - self.log_ratio.abs()), df);
        let (label, reason) = self.label(p_value, equivalence_p, size_reach, rules);
        // Fewer processes give no test that may enter a family.
        let tested = !self.is_few(rules);
        let detectable = reach + student::upper_quantile(1.0 - rules.power, df) * standard_error;
        Ok(Verdict {
            label,
            reason,
            low: Some(direction.low),
            high: Some(direction.high),
            size_low: Some(size.low),
            size_high: Some(size.high),
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

    fn label(self, p_value: f64, equivalence_p: f64, size_reach: f64, rules: &Rules) -> (Label, Reason) {
        if self.is_few(rules) {
            return (Label::Undecided, Reason::FewReplicates);
        }
        match allowed(self.log_ratio, Some(p_value), Some(equivalence_p), rules) {
            Some((Label::Equivalent, _)) if self.scope == Scope::Sequential => {
                (Label::Undecided, Reason::SequentialNeverEquivalent)
            }
            Some(said) => said,
            None if size_reach > rules.log_margin() => (Label::Undecided, Reason::TooNoisy),
            None => (Label::Undecided, Reason::NearMargin),
        }
    }
}
