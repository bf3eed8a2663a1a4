//! What a run says of the two sides: comparisons, and what has none.

use std::collections::BTreeMap;

use benchbook_query::{Session, quoted};
use benchbook_report::gate::{Comparison, Estimate, Label, LeftOut, Missing, SEQUENTIAL, Second};
use benchbook_report::{Row, rows};

use super::sides::Labels;
use crate::error::Failure;

/// The paired comparisons of a run between its two builds.
pub fn interleaved(session: &Session, run_id: &str, labels: &Labels) -> Result<Vec<Comparison>, Failure> {
    let [run_id, baseline, candidate] = [run_id, &labels.baseline, &labels.candidate].map(quoted);
    let answer = session.sql(&format!(
        "SELECT workload || ' ' || case_name AS case_label, split_part(candidate, '@', 1) AS variant, speedup, low, \
         high, verdict, said, reason, scope, minimum_detectable_effect, replicates FROM verdicts \
         WHERE run_id = {run_id} AND baseline_build = {baseline} AND candidate_build = {candidate} \
         AND split_part(baseline, '@', 1) = split_part(candidate, '@', 1) ORDER BY first_trial, variant"
    ))?;
    Ok(rows(&answer).filter_map(pair).collect())
}

/// Comparisons of a recorded run with a later one, which describe: drift between them counts as a difference.
pub fn sequential(session: &Session, baseline: &str, candidate: &str) -> Result<Vec<Comparison>, Failure> {
    let params = [("baseline", baseline), ("candidate", candidate)];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = session.named("sequential", &BTreeMap::from(params))?;
    Ok(rows(&answer).filter(|row| row.text("verdict").as_deref() != Some("not in both")).filter_map(sequence).collect())
}

/// Paired blocks of one run, which may judge.
fn pair(row: Row<'_>) -> Option<Comparison> {
    comparison(&row, row.text("case_label")?, row.text("reason")?, true, row.integer("replicates"))
}

/// Two runs, one after the other.
fn sequence(row: Row<'_>) -> Option<Comparison> {
    let case = format!("{} {}", row.text("workload")?, row.text("case_name")?);
    let replicates = row.integer("baseline_replicates").min(row.integer("candidate_replicates"));
    comparison(&row, case, SEQUENTIAL.to_owned(), false, replicates)
}

/// Nothing where the row has no ratio.
fn comparison(row: &Row<'_>, case: String, reason: String, gates: bool, replicates: Option<i64>) -> Option<Comparison> {
    let verdict = row.text("verdict")?;
    let first = Estimate {
        ratio: row.float("speedup")?,
        low: row.float("low"),
        high: row.float("high"),
        label: Label::of(&verdict),
        said: row.text("said").unwrap_or(verdict),
        reason,
        gates,
        minimum_detectable_effect: row.float("minimum_detectable_effect"),
        replicates: replicates.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
    };
    Some(Comparison { case, variant: row.text("variant")?, first, second: Second::NotNeeded })
}

/// Puts second estimates beside the first ones that asked for them.
pub fn confirm(comparisons: &mut [Comparison], chosen: &[usize], seconds: &[Comparison]) {
    for index in chosen {
        let Some(one) = comparisons.get_mut(*index) else { continue };
        let found = seconds.iter().find(|second| second.case == one.case && second.variant == one.variant);
        one.second = match found {
            Some(second) => Second::Measured(second.first.clone()),
            None => Second::Failed("fresh processes gave no valid pair".into()),
        };
    }
}

/// Why trials of a run ended badly: by case and whole variant.
pub fn endings(session: &Session, run_id: &str) -> Result<BTreeMap<(String, String), String>, Failure> {
    let run_id = quoted(run_id);
    let answer = session.sql(&format!(
        "SELECT t.workload || ' ' || t.case_name AS case_label, t.variant, o.status || ': ' || o.stop_reason AS why \
         FROM trials t JOIN outcomes o ON o.run_id = t.run_id AND o.trial = t.trial \
         WHERE t.run_id = {run_id} AND o.status <> 'ok' ORDER BY t.trial DESC"
    ))?;
    Ok(rows(&answer)
        .filter_map(|row| Some(((row.text("case_label")?, row.text("variant")?), row.text("why")?)))
        .collect())
}

/// A case and variant that both sides were asked for and that has no comparison.
pub fn missing(endings: &BTreeMap<(String, String), String>, case: &str, variant: &str, labels: &Labels) -> LeftOut {
    let of = |build: &str| endings.get(&(case.to_owned(), format!("{variant}@{build}")));
    let (missing, why) = match (of(&labels.baseline), of(&labels.candidate)) {
        (Some(_), Some(why)) => (Missing::Both, why.as_str()),
        (Some(why), None) => (Missing::BaselineFails, why.as_str()),
        (None, Some(why)) => (Missing::CandidateFails, why.as_str()),
        (None, None) => (Missing::Both, "no block has a valid sample of both sides"),
    };
    LeftOut { case: case.to_owned(), variant: variant.to_owned(), missing, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_comparison_says_which_side_failed() {
        let labels = Labels::new("a", "b");
        let of = |variants: &[&str]| -> BTreeMap<_, _> {
            variants
                .iter()
                .map(|variant| (("c".to_owned(), (*variant).to_owned()), "failed: it hung".to_owned()))
                .collect()
        };
        for (variants, expected) in [
            (&["x@a"][..], Missing::BaselineFails),
            (&["x@b"], Missing::CandidateFails),
            (&["x@a", "x@b"], Missing::Both),
            (&[], Missing::Both),
        ] {
            assert_eq!(missing(&of(variants), "c", "x", &labels).missing, expected, "{variants:?}");
        }
    }
}
