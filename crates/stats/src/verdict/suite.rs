//! The judgement of a suite: what each comparison may say beside all others of its family.

use super::{Label, Reason, Rules};
use crate::{Result, benjamini_hochberg};

/// What is known of one comparison of a family; its p-values are of this comparison alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member {
    /// The estimated ratio of times, baseline over candidate.
    pub ratio: f64,
    /// The p-value of the direction ([`Verdict::p_value`](super::Verdict::p_value)); nothing for a comparison that
    /// is undecided for a reason of its own.
    pub p_value: Option<f64>,
    /// The p-value of equivalence ([`Verdict::equivalence_p`](super::Verdict::equivalence_p)).
    pub equivalence_p: Option<f64>,
    /// What equal programs usually differ by on this machine, as a share, where its calibrations have shown more
    /// false positives than were promised; nothing where they gave no cause for doubt.
    pub usual_difference: Option<f64>,
}

/// What a comparison may say beside all others of its family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What it says.
    pub label: Label,
    /// Why; nothing where the reason of the comparison alone stands.
    pub reason: Option<Reason>,
    /// The p-value of the direction, adjusted for the family.
    pub q_value: Option<f64>,
    /// The p-value of equivalence, adjusted for the family.
    pub equivalence_q: Option<f64>,
}

/// Judges a family of comparisons, in the order given.
///
/// Directions and equivalences are two families of tests, each adjusted by [`benjamini_hochberg`]: of the
/// comparisons called `faster` or `slower`, and of those called `equivalent`, 5 % are expected to be wrong at most.
/// Both words make the same promise, so that neither is cheaper to come by; where no comparison of a family is
/// what it would be called, that is also the chance of a single false word (all hypotheses true: the false
/// discovery rate is the family-wise error rate). A direction no larger than what equal programs usually differ by
/// on this machine is `undecided`.
///
/// # Errors
/// [`Error::OutOfRange`](crate::Error::OutOfRange) for the rules or a p-value outside [0, 1],
/// [`Error::NotFinite`](crate::Error::NotFinite) for a p-value that is no number.
pub fn judge(family: &[Member], rules: &Rules) -> Result<Vec<Judgement>> {
    rules.check()?;
    let q_values = adjusted(family.iter().map(|member| member.p_value))?;
    let equivalence = adjusted(family.iter().map(|member| member.equivalence_p))?;
    let adjusted = q_values.into_iter().zip(equivalence);
    Ok(family.iter().zip(adjusted).map(|(member, (q, equivalence))| member.judged(q, equivalence, rules)).collect())
}

impl Member {
    fn judged(&self, q_value: Option<f64>, equivalence_q: Option<f64>, rules: &Rules) -> Judgement {
        let of = |label, reason| Judgement { label, reason, q_value, equivalence_q };
        let log_ratio = self.ratio.ln();
        match allowed(log_ratio, q_value, equivalence_q, rules) {
            Some((Label::Faster | Label::Slower, _)) if self.is_usual(log_ratio) => {
                of(Label::Undecided, Some(Reason::NoisyMachine))
            }
            Some((label, reason)) => of(label, Some(reason)),
            None => {
                let alone = allowed(log_ratio, self.p_value, self.equivalence_p, rules);
                of(Label::Undecided, alone.map(|_| Reason::FalseDiscovery))
            }
        }
    }

    fn is_usual(&self, log_ratio: f64) -> bool {
        self.usual_difference.is_some_and(|usual| log_ratio.abs() <= usual.ln_1p())
    }
}

/// The label that p-values allow, be they of one comparison or adjusted for its family; nothing where neither does.
pub(super) fn allowed(
    log_ratio: f64,
    direction: Option<f64>,
    equivalence: Option<f64>,
    rules: &Rules,
) -> Option<(Label, Reason)> {
    if equivalence.is_some_and(|p| p <= (1.0 - rules.equivalence_level) / 2.0) {
        return Some((Label::Equivalent, Reason::SizeWithinMargin));
    }
    let label = if log_ratio > 0.0 { Label::Faster } else { Label::Slower };
    direction.filter(|p| *p <= 1.0 - rules.level).map(|_| (label, Reason::DirectionExcludesOne))
}

/// The adjusted p-values of those that have one.
fn adjusted(p_values: impl Iterator<Item = Option<f64>> + Clone) -> Result<Vec<Option<f64>>> {
    let given: Vec<f64> = p_values.clone().flatten().collect();
    let adjusted = if given.is_empty() { given } else { benjamini_hochberg(&given)? };
    let mut adjusted = adjusted.into_iter();
    Ok(p_values.map(|p| p.and_then(|_| adjusted.next())).collect())
}
