//! From an estimate and its error to a verdict.

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
            replicates: self.replicates,
            blocks: self.blocks,
            hierarchical: None,
        })
    }

    /// The verdict from the standard error of the log ratio, above zero, and its degrees of freedom.
    pub(super) fn decide(self, standard_error: f64, df: f64, rules: &Rules) -> Result<Verdict> {
        let reach = student::critical(rules.level, df) * standard_error;
        let size_reach = student::critical(rules.size_level, df) * standard_error;
        let (label, reason) = self.label(reach, size_reach, rules.log_margin());
        let direction = Interval::around(self.log_ratio, reach, rules.level)?.exp()?;
        let size = Interval::around(self.log_ratio, size_reach, rules.size_level)?.exp()?;
        // Where the error is so small that t overflows, p is 0 all the same.
        let t = (self.log_ratio / standard_error).clamp(f64::MIN, f64::MAX);
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
            p_value: Some(student::two_sided(t, df)),
            ..self.undecided(reason)?
        })
    }

    fn label(self, reach: f64, size_reach: f64, margin: f64) -> (Label, Reason) {
        let distance = self.log_ratio.abs();
        if distance + size_reach <= margin {
            return match self.scope {
                Scope::Sequential => (Label::Undecided, Reason::SequentialNeverEquivalent),
                _ => (Label::Equivalent, Reason::SizeWithinMargin),
            };
        }
        if distance > reach {
            let label = if self.log_ratio > 0.0 { Label::Faster } else { Label::Slower };
            return (label, Reason::DirectionExcludesOne);
        }
        (Label::Undecided, if size_reach > margin { Reason::TooNoisy } else { Reason::NearMargin })
    }
}
