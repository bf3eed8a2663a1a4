//! What a run says of a claim: one row of the answer, chosen and put into words.

use super::entry::{Entry, MEASURED, TIME};
use crate::ask::{number, rows, text};
use serde_json::Value;
use std::collections::BTreeSet;

/// Fresh processes below which there is no verdict, as for every comparison.
const FEWEST: u64 = 5;

/// A metric, measured if it has an interval, modelled otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub value: f64,
    pub interval: Option<Interval>,
    /// Workload, case, candidate over baseline.
    pub how: String,
}

/// The 95 % interval over fresh processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
    pub replicates: u64,
}

/// The row that decides: of several baselines the strongest, which has the lowest `speed`, or the highest of other ratios; of
/// several candidates, which are one implementation on several devices, the one that stands best beside its strongest.
///
/// # Errors
/// There is no row, too few processes, or another provenance than the entry says.
pub fn decisive(answer: &Value, entry: &Entry, speed: bool) -> Result<Measured, String> {
    let found: Vec<&Value> = rows(answer).filter(|row| number(row, "value").is_finite()).collect();
    let better = |a: &&Value, b: &&Value| {
        let order = number(a, "value").total_cmp(&number(b, "value"));
        if speed { order } else { order.reverse() }
    };
    let of = |candidate: &str| {
        found.iter().copied().filter(|row| text(row, "candidate") == candidate).collect::<Vec<&Value>>()
    };
    let candidates: BTreeSet<&str> = found.iter().map(|row| text(row, "candidate")).collect();
    let strongest = |candidate: &&str| of(candidate).into_iter().min_by(better);
    let row = candidates.iter().filter_map(strongest).max_by(better).ok_or("nothing valid was measured")?;
    let provenance = text(row, "provenance");
    if provenance != entry.provenance {
        return Err(format!("its metric is {provenance}, and claims.yaml says {}", entry.provenance));
    }
    let interval = if provenance == MEASURED { Some(interval(row)?) } else { None };
    let sides = [candidates.len(), of(text(row, "candidate")).len()];
    Ok(Measured { value: number(row, "value"), interval, how: how(row, entry, sides) })
}

fn interval(row: &Value) -> Result<Interval, String> {
    let [low, high] = ["low", "high"].map(|name| number(row, name));
    let replicates = row["replicates"].as_u64().unwrap_or_default();
    if replicates < FEWEST || !(low.is_finite() && high.is_finite()) {
        return Err(format!("{replicates} processes are too few for a verdict, which needs {FEWEST}"));
    }
    Ok(Interval { low, high, replicates })
}

fn how(row: &Value, entry: &Entry, [candidates, baselines]: [usize; 2]) -> String {
    let [candidate, baseline, case, against] =
        ["candidate", "baseline", "case_name", "against"].map(|name| text(row, name));
    let best = if candidates > 1 { format!(" (the best of {candidates})") } else { String::new() };
    let candidate = format!("{candidate}{best}");
    let metric = if entry.metric == TIME { String::new() } else { format!("{} of ", entry.metric) };
    let sides = match (baseline, case == against) {
        ("", _) => format!(" {case}: {metric}{candidate}"),
        (_, true) => format!(" {case}: {metric}{candidate} over {baseline}"),
        (_, false) => format!(": {metric}{candidate} on {case} over {baseline} on {against}"),
    };
    let strongest = if baselines > 1 { format!("; the strongest of {baselines}") } else { String::new() };
    format!("{}{sides}{strongest}", entry.workload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(baseline: &str, against: &str, value: f64) -> Value {
        json!({
            "candidate": "c/flex", "baseline": baseline, "case_name": "n8", "against": against, "value": value,
            "low": value - 0.1, "high": value + 0.1, "replicates": 8, "provenance": "measured",
        })
    }

    fn entry(metric: &str, provenance: &str) -> Entry {
        Entry { workload: "w".into(), metric: metric.into(), provenance: provenance.into(), ..Entry::default() }
    }

    #[test]
    fn the_strongest_rival_decides() -> Result<(), String> {
        let entry = entry(TIME, MEASURED);
        let answer = json!([row("a/flex", "n8", 2.0), row("b/flex", "n8", 0.5)]);
        let speed = decisive(&answer, &entry, true)?;
        assert_eq!(speed.how, "w n8: c/flex over b/flex; the strongest of 2");
        assert_eq!(speed.interval, Some(Interval { low: 0.4, high: 0.6, replicates: 8 }));
        assert!(decisive(&answer, &entry, false)?.how.contains("over a/flex"));
        assert!(decisive(&json!([]), &entry, true).is_err_and(|problem| problem.contains("nothing valid")));
        let on_another = |baseline: &str, value: f64| {
            let mut row = row(baseline, "n8", value);
            row["candidate"] = "c/libtorch".into();
            row
        };
        let all =
            [row("a/flex", "n8", 3.0), row("b/flex", "n8", 0.5), on_another("a/flex", 2.0), on_another("b/flex", 0.7)];
        let speed = decisive(&json!(all), &entry, true)?;
        assert_eq!(speed.how, "w n8: c/libtorch (the best of 2) over b/flex; the strongest of 2");
        assert!((speed.value - 0.7).abs() < 1e-12);
        let memory = decisive(&json!(all), &entry, false)?;
        assert_eq!(memory.how, "w n8: c/libtorch (the best of 2) over a/flex; the strongest of 2");
        Ok(())
    }

    #[test]
    fn an_interval_is_over_five_processes_at_least() {
        for (name, value) in [("replicates", json!(4)), ("low", Value::Null), ("high", Value::Null)] {
            let mut bare = row("a/flex", "n8", 2.0);
            bare[name] = value;
            let answer = decisive(&json!([bare]), &entry(TIME, MEASURED), true);
            assert!(answer.is_err_and(|problem| problem.contains("too few for a verdict")), "{name}");
        }
    }

    #[test]
    fn a_modelled_metric_has_no_interval() -> Result<(), String> {
        let mut modelled = row("", "n8", 0.5);
        modelled["provenance"] = "modelled".into();
        let answer = json!([modelled]);
        assert_eq!(decisive(&answer, &entry("share", "modelled"), false)?.interval, None);
        let measured = decisive(&answer, &entry("share", MEASURED), false);
        assert!(measured.is_err_and(|problem| problem == "its metric is modelled, and claims.yaml says measured"));
        assert!(decisive(&json!([row("", "n8", 0.5)]), &entry("share", "modelled"), false).is_err());
        Ok(())
    }

    #[test]
    fn cases_and_metrics_are_named() -> Result<(), String> {
        let entry = entry("worker_bytes", MEASURED);
        let two = decisive(&json!([row("a/flex", "n1", 1.0)]), &entry, false)?;
        assert_eq!(two.how, "w: worker_bytes of c/flex on n8 over a/flex on n1");
        let alone = decisive(&json!([row("", "n8", 0.5)]), &entry, false)?;
        assert_eq!(alone.how, "w n8: worker_bytes of c/flex");
        Ok(())
    }
}
