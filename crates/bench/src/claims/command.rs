//! Measures every claim that can be measured here, and tells how all of them stand.

use super::entry::{self, Entry};
use super::ledger::Ledger;
use super::measured::{Interval, Measured, decisive};
use super::plan::plan;
use super::question::{Beside, question};
use crate::ask::{ask, number, rows, text};
use crate::machine;
use serde_json::Value;
use std::fs;
use std::path::Path;
use xtask::error::{Error, Named, Result};
use xtask::process;
use xtask::workspace::Ready;

/// Where the claims stand.
const LEDGER: &str = "datasets/claims.csv";

/// What a row of the ledger is, and what several are called.
const KINDS: [(&str, &str); 3] =
    [("published", "published claims"), ("target", "targets of a source"), ("inference", "inferences of our own")];

/// Measures one claim after the other, those of `only` or all; each is written as soon as it is there.
pub fn measure(ready: &Ready, only: &[String]) -> Result<String> {
    let folder = ready.workspace.target.join("bench/claims");
    let machine = machine::processors_in_full();
    let mut ledger = Ledger::open(&ready.workspace.root.join(LEDGER))?;
    let entries = entry::entries().map_err(|problem| Error::Content { path: "claims.yaml".into(), problem })?;
    if let Some(unknown) = only.iter().find(|name| entries.iter().all(|entry| entry.claim != **name)) {
        return Err(Error::Usage(format!(
            "`{unknown}` is no claim that can be measured here: crates/bench/src/claims/claims.yaml has their names"
        )));
    }
    let (mut last, mut left_out) = (None, Vec::new());
    for entry in entries.iter().filter(|entry| only.is_empty() || only.contains(&entry.claim)) {
        let name = &entry.claim;
        let Some(beside) = ledger.quantity(name).map(Beside::of) else {
            return Err(Error::Content { path: LEDGER.into(), problem: format!("has no claim `{name}`") });
        };
        let store = folder.join(name).join("store");
        match one(ready, &store, entry, beside) {
            Ok(measured) => {
                let interval = measured.interval.map(|Interval { low, high, .. }| (low, high));
                println!("   {name}: {}", shown(measured.value, interval));
                ledger.put(name, &measured, &machine)?;
                last = Some(store);
            }
            // A claim that fails says so and does not keep the others from being measured.
            Err(error) => {
                println!("   {name}: not measured: {error}");
                left_out.push(format!("`{name}`"));
            }
        }
    }
    let Some(store) = last else {
        return Err(Error::Requirement {
            problem: "no claim could be measured".into(),
            remedy: "see the messages above".into(),
        });
    };
    // The program holds the table as it was when it was built, so it is told where the new one lies.
    let mut command = ready.workspace.run("benchbook");
    command.arg("--store").arg(store).args(["sql", "--csv", &format!("claims={LEDGER}"), "--query", "claims"]);
    let mut told = table(&ask(command.args(["--format", "json"]))?);
    if !left_out.is_empty() {
        told += &format!("\n\nNot measured this time: {}.", left_out.join(", "));
    }
    Ok(told)
}

fn one(ready: &Ready, store: &Path, entry: &Entry, beside: Beside) -> Result<Measured> {
    let folder = store.parent().unwrap_or(store);
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).named("create", folder)?;
    let path = folder.join("plan.toml");
    fs::write(&path, plan(entry)).named("write", &path)?;
    let mut run = ready.workspace.run("benchbook");
    run.arg("--store").arg(store).arg("run").arg(&path);
    if entry.python {
        run.arg(format!("--python={}", ready.python.executable.display()));
    }
    process::run(&mut run, "see its message above")?;
    let mut command = ready.workspace.run("benchbook");
    command.arg("--store").arg(store).args(["sql", "--format", "json"]);
    let answer = ask(command.arg(question(entry, beside)))?;
    decisive(&answer, entry, beside == Beside::Speed)
        .map_err(|problem| Error::Content { path: format!("claim `{}`", entry.claim).into(), problem })
}

/// What is known of the claims, and how many of each kind ended how.
fn table(answer: &Value) -> String {
    let mut lines: Vec<String> = KINDS.iter().filter_map(|(kind, several)| counts(answer, kind, several)).collect();
    lines.extend(
        [
            "",
            "A claim is judged by the whole 95 % interval over fresh processes, on this machine and these cases alone; \
             what is modelled\nor quoted has no interval, and its verdict is one by definition. `benchbook list claims` \
             shows the others after the next build.",
            "",
            "| claim | kind | claimed | found, 95 % interval | verdict | how |",
            "|---|---|---|---|---|---|",
        ]
        .map(str::to_owned),
    );
    for row in rows(answer).filter(|row| number(row, "value").is_finite()) {
        let [low, high] = ["low", "high"].map(|name| number(row, name));
        lines.push(format!(
            "| {} | {} | {} {} | {} | {} | {} |",
            text(row, "statement"),
            text(row, "kind"),
            text(row, "quantity").replace('_', " "),
            text(row, "claimed"),
            shown(number(row, "value"), low.is_finite().then_some((low, high))),
            text(row, "verdict"),
            text(row, "how"),
        ));
    }
    lines.join("\n")
}

/// The verdicts on rows of one kind, in the order in which they first appear.
fn counts(answer: &Value, kind: &str, several: &str) -> Option<String> {
    let verdicts: Vec<&str> =
        rows(answer).filter(|row| text(row, "kind") == kind).map(|row| text(row, "verdict")).collect();
    let mut told: Vec<String> = Vec::new();
    for (place, verdict) in verdicts.iter().enumerate() {
        if !verdicts[..place].contains(verdict) {
            told.push(format!("{} {verdict}", verdicts.iter().filter(|other| *other == verdict).count()));
        }
    }
    (!told.is_empty()).then(|| format!("- {} {several}: {}.", verdicts.len(), told.join(", ")))
}

/// A value with its interval; one without was not measured.
fn shown(value: f64, interval: Option<(f64, f64)>) -> String {
    match interval {
        Some((low, high)) => format!("{value:.3} ({low:.3} – {high:.3})"),
        None => format!("{value:.3}, not measured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_shows_what_is_known_and_counts_each_kind_apart() {
        let told = table(&json!([
            { "statement": "A is fast", "kind": "published", "quantity": "speed", "claimed": "at least 2",
              "value": 2.5, "low": 2.4, "high": 2.6, "verdict": "confirmed", "how": "w n8: a over b" },
            { "statement": "B is fast", "kind": "published", "verdict": "not testable here", "value": null },
            { "statement": "C is fast", "kind": "published", "verdict": "not testable here", "value": null },
            { "statement": "D is small", "kind": "inference", "quantity": "memory_growth", "claimed": "about 4",
              "value": 3.0, "low": null, "high": null, "verdict": "refuted by definition", "how": "a count" },
        ]));
        let counted = "- 3 published claims: 1 confirmed, 2 not testable here.\n\
             - 1 inferences of our own: 1 refuted by definition.\n\n";
        assert!(told.starts_with(counted), "{told}");
        let rows = "| A is fast | published | speed at least 2 | 2.500 (2.400 – 2.600) | confirmed | w n8: a over b |\n\
             | D is small | inference | memory growth about 4 | 3.000, not measured | refuted by definition | a count |";
        assert!(told.ends_with(rows), "{told}");
    }
}
