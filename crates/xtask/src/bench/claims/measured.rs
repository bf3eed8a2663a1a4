//! What was measured for a claim: one row of the answer, chosen and put into words.

use super::entry::{Entry, TIME};
use crate::bench::ask::{number, rows, text};
use serde_json::Value;

/// A measured figure with its 95 % interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub measured: f64,
    pub low: f64,
    pub high: f64,
    pub replicates: u64,
    /// Workload, case, candidate over baseline.
    pub how: String,
}

/// The row that decides: of several baselines the one that is hardest for the claim.
///
/// # Errors
/// There is no row, too little for an interval, or several rows where only one can be meant.
pub fn decisive(answer: &Value, entry: &Entry, relation: &str) -> Result<Measured, String> {
    let mut found: Vec<&Value> = rows(answer).filter(|row| number(row, "measured").is_finite()).collect();
    found.sort_by(|a, b| number(a, "measured").total_cmp(&number(b, "measured")));
    let row = match (relation, found.as_slice()) {
        (_, []) => return Err("nothing valid was measured".to_owned()),
        (_, [only]) | ("at least", [only, ..]) | ("at most", [.., only]) => only,
        _ => return Err(format!("{} answers to a claim that needs one", found.len())),
    };
    let [measured, low, high] = ["measured", "low", "high"].map(|name| number(row, name));
    if !(low.is_finite() && high.is_finite()) {
        return Err("too few processes for an interval".to_owned());
    }
    let replicates = row["replicates"].as_u64().unwrap_or_default();
    Ok(Measured { measured, low, high, replicates, how: how(row, entry, found.len()) })
}

fn how(row: &Value, entry: &Entry, baselines: usize) -> String {
    let [candidate, baseline, case, against] =
        ["candidate", "baseline", "case_name", "against"].map(|name| text(row, name));
    let figure = if entry.figure == TIME { String::new() } else { format!("{} of ", entry.figure) };
    let sides = match (baseline, case == against) {
        ("", _) => format!(" {case}: {figure}{candidate}"),
        (_, true) => format!(" {case}: {figure}{candidate} over {baseline}"),
        (_, false) => format!(": {figure}{candidate} on {case} over {baseline} on {against}"),
    };
    let strongest = if baselines > 1 { format!("; the strongest of {baselines}") } else { String::new() };
    format!("{}{sides}{strongest}", entry.workload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(baseline: &str, against: &str, measured: f64) -> Value {
        json!({
            "candidate": "c/flex", "baseline": baseline, "case_name": "n8", "against": against,
            "measured": measured, "low": measured - 0.1, "high": measured + 0.1, "replicates": 8,
        })
    }

    #[test]
    fn the_hardest_rival_decides() -> Result<(), String> {
        let entry = Entry { workload: "w".into(), figure: TIME.into(), ..Entry::default() };
        let answer = json!([row("a/flex", "n8", 2.0), row("b/flex", "n8", 0.5)]);
        let least = decisive(&answer, &entry, "at least")?;
        assert_eq!(least.how, "w n8: c/flex over b/flex; the strongest of 2");
        assert_eq!((least.low, least.replicates), (0.4, 8));
        assert!(decisive(&answer, &entry, "at most")?.how.contains("over a/flex"));
        assert!(decisive(&answer, &entry, "about").is_err_and(|problem| problem.contains("2 answers")));
        assert!(decisive(&json!([]), &entry, "about").is_err_and(|problem| problem.contains("nothing valid")));
        let bare = json!([{ "measured": 1.0, "low": null, "high": null }]);
        assert!(decisive(&bare, &entry, "about").is_err_and(|problem| problem.contains("too few")));
        Ok(())
    }

    #[test]
    fn cases_and_figures_are_named() -> Result<(), String> {
        let entry = Entry { workload: "w".into(), figure: "worker_bytes".into(), ..Entry::default() };
        let two = decisive(&json!([row("a/flex", "n1", 1.0)]), &entry, "about")?;
        assert_eq!(two.how, "w: worker_bytes of c/flex on n8 over a/flex on n1");
        let alone = decisive(&json!([row("", "n8", 0.5)]), &entry, "at most")?;
        assert_eq!(alone.how, "w n8: worker_bytes of c/flex");
        Ok(())
    }
}
