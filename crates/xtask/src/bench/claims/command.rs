//! Measures every claim that can be measured here, and tells how all of them stand.

use super::entry::{self, Entry};
use super::ledger::{Claim, Ledger};
use super::measured::{Measured, decisive};
use super::plan::plan;
use super::question::question;
use crate::bench::ask::{ask, number, rows, text};
use crate::bench::machine;
use crate::error::{Error, Named, Result};
use crate::process;
use crate::setup::Ready;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Where the claims stand.
const LEDGER: &str = "datasets/claims.csv";

/// Measures one claim after the other; each is written as soon as it is there.
pub fn measure(ready: &Ready) -> Result<String> {
    let folder = ready.workspace.target.join("bench/claims");
    let machine = machine::processors();
    let mut ledger = Ledger::open(&ready.workspace.root.join(LEDGER))?;
    let entries = entry::entries().map_err(|problem| Error::Content { path: "claims.yaml".into(), problem })?;
    let (mut last, mut left_out) = (None, Vec::new());
    for entry in &entries {
        let name = &entry.claim;
        let Some(claim) = ledger.claim(name) else {
            return Err(Error::Content { path: LEDGER.into(), problem: format!("has no claim `{name}`") });
        };
        let store = folder.join(name).join("store");
        match one(ready, &store, entry, &claim) {
            Ok(measured) => {
                println!("   {name}: {:.3} ({:.3} – {:.3})", measured.measured, measured.low, measured.high);
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

fn one(ready: &Ready, store: &Path, entry: &Entry, claim: &Claim) -> Result<Measured> {
    let folder = store.parent().unwrap_or(store);
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).named("create", folder)?;
    let path = folder.join("plan.toml");
    fs::write(&path, plan(entry)).named("write", &path)?;
    let mut run = ready.workspace.run("benchbook");
    process::run(run.arg("--store").arg(store).arg("run").arg(&path), "see its message above")?;
    let mut command = ready.workspace.run("benchbook");
    command.arg("--store").arg(store).args(["sql", "--format", "json"]);
    let answer = ask(command.arg(question(entry, claim.quantity == "speed")))?;
    decisive(&answer, entry, &claim.relation)
        .map_err(|problem| Error::Content { path: format!("claim `{}`", entry.claim).into(), problem })
}

/// What is measured of the claims, and how many of all ended how.
fn table(answer: &Value) -> String {
    let verdicts = ["confirmed", "refuted", "undecided", "not testable here", "not measured yet"];
    let count = |verdict: &str| rows(answer).filter(|row| text(row, "verdict") == verdict).count();
    let counts = verdicts.map(|verdict| format!("{} {verdict}", count(verdict)));
    let mut lines = vec![
        format!("{} published claims: {}.", rows(answer).count(), counts.join(", ")),
        "A claim is judged by the whole 95 % interval over fresh processes, on this machine and these cases alone; \
         `benchbook list claims`\nshows the others after the next build."
            .to_owned(),
        String::new(),
        "| claim | claimed | measured, 95 % interval | verdict | how |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for row in rows(answer).filter(|row| number(row, "measured").is_finite()) {
        lines.push(format!(
            "| {} | {} {} {} | {:.3} ({:.3} – {:.3}) | {} | {} |",
            text(row, "statement"),
            text(row, "quantity").replace('_', " "),
            text(row, "relation"),
            number(row, "claimed"),
            number(row, "measured"),
            number(row, "low"),
            number(row, "high"),
            text(row, "verdict"),
            text(row, "how"),
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_shows_what_is_measured_and_counts_the_rest() {
        let told = table(&json!([
            { "statement": "A is fast", "quantity": "speed", "relation": "at least", "claimed": 2.0, "measured": 2.5,
              "low": 2.4, "high": 2.6, "verdict": "confirmed", "how": "w n8: a over b" },
            { "statement": "B is fast", "verdict": "not testable here", "measured": null },
        ]));
        assert!(
            told.starts_with("2 published claims: 1 confirmed, 0 refuted, 0 undecided, 1 not testable here"),
            "{told}"
        );
        let row = "| A is fast | speed at least 2 | 2.500 (2.400 – 2.600) | confirmed | w n8: a over b |";
        assert!(told.ends_with(row), "{told}");
    }
}
