//! What a run says of the two sides: comparisons, and what has none.

use std::collections::BTreeMap;

use benchbook_gate::{Comparison, Estimate, Label, LeftOut, Missing, Second};
use benchbook_query::{Answer, Session};
use benchbook_show::{Row, rows};

use super::sides::Labels;
use crate::error::Failure;

/// The paired comparisons of a run between its two builds.
pub fn interleaved(session: &Session, run_id: &str, labels: &Labels) -> Result<Vec<Comparison>, Failure> {
    let Labels { baseline, candidate } = labels;
    let answer = session.sql(&format!(
        "WITH both AS (SELECT workload, case_name, split_part(candidate, '@', 1) AS variant, \
         paired_summary(log_ratio, replicate) AS s FROM pairs WHERE run_id = '{run_id}' \
         AND split_part(baseline, '@', 2) = '{baseline}' AND split_part(candidate, '@', 2) = '{candidate}' \
         AND split_part(baseline, '@', 1) = split_part(candidate, '@', 1) \
         GROUP BY workload, case_name, split_part(candidate, '@', 1)) \
         SELECT workload || ' ' || case_name AS case_label, variant, s['speedup'] AS speedup, s['low'] AS low, \
         s['high'] AS high, s['verdict'] AS verdict, s['reason'] AS reason, s['scope'] AS scope, \
         s['mde'] AS minimum_detectable_effect, s['replicates'] AS replicates FROM both ORDER BY 1, 2"
    ))?;
    Ok(comparisons(&answer))
}

/// Comparisons of a recorded run with a later one; drift between them counts as a difference.
pub fn sequential(session: &Session, baseline: &str, candidate: &str) -> Result<Vec<Comparison>, Failure> {
    let params = [("baseline", baseline), ("candidate", candidate)];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = session.named("sequential", &BTreeMap::from(params))?;
    let mut found = comparisons(&answer);
    found.retain(|one| one.first.label != Label::Undecided || one.first.reason != "not in both");
    Ok(found)
}

fn comparisons(answer: &Answer) -> Vec<Comparison> {
    rows(answer).filter_map(|row| comparison(&row)).collect()
}

/// Nothing where the row has no ratio.
fn comparison(row: &Row<'_>) -> Option<Comparison> {
    let case =
        row.text("case_label").or_else(|| Some(format!("{} {}", row.text("workload")?, row.text("case_name")?)))?;
    let verdict = row.text("verdict")?;
    let sequential = row.text("scope").is_some_and(|scope| scope.contains("sequential"));
    let few = |name: &str| row.integer(name).and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    let replicates =
        if sequential { few("baseline_replicates").min(few("candidate_replicates")) } else { few("replicates") };
    let gates = if sequential { replicates >= 5 } else { row.text("scope").as_deref() == Some("across-replicates") };
    let reason = row
        .text("reason")
        .unwrap_or_else(|| if verdict == "not in both" { verdict.clone() } else { "sequential".into() });
    let first = Estimate {
        ratio: row.float("speedup")?,
        low: row.float("low"),
        high: row.float("high"),
        label: Label::of(&verdict),
        reason,
        gates,
        minimum_detectable_effect: row.float("minimum_detectable_effect"),
        replicates,
    };
    Some(Comparison { case, variant: row.text("variant")?, first, second: Second::NotNeeded })
}

/// Why trials of a run ended badly: by case and whole variant.
pub fn endings(session: &Session, run_id: &str) -> Result<BTreeMap<(String, String), String>, Failure> {
    let answer = session.sql(&format!(
        "SELECT t.workload || ' ' || t.case_name AS case_label, t.variant, o.status || ': ' || o.stop_reason AS why \
         FROM trials t JOIN outcomes o ON o.run_id = t.run_id AND o.trial = t.trial \
         WHERE t.run_id = '{run_id}' AND o.status <> 'ok' ORDER BY t.trial DESC"
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
