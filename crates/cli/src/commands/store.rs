//! `benchbook store`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use benchbook_core::{on_one_line, unknown};
use benchbook_query::Session;
use benchbook_record::{LocalStore, RunState, Store, merge, now_ns, repair, verify};
use benchbook_report::rows;
use chrono::{DateTime, SecondsFormat};

use super::run::local_path;
use crate::args::{Format, FormatArgs, LsArgs, StoreAction, StoreArgs};
use crate::error::{EXIT_ERROR, Failure};
use crate::output::{self, text_batch};
use crate::people::people;

/// Lists, verifies, repairs or merges.
pub fn store(location: &str, arguments: StoreArgs) -> Result<u8, Failure> {
    match arguments.action {
        StoreAction::Ls(arguments) => ls(location, &arguments),
        StoreAction::Verify(format) => check(location, format),
        StoreAction::Repair(format) => mend(location, format),
        StoreAction::Merge { from } => join(&from, location),
    }
}

fn ls(location: &str, arguments: &LsArgs) -> Result<u8, Failure> {
    let store = Store::open(location)?;
    let mut runs = store.runs()?;
    if let Some(since) = arguments.since {
        let span = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        runs.retain(|run| run.started_at_ns >= now_ns().saturating_sub(span));
    }
    if let Some(workload) = &arguments.workload {
        let known = workloads(&store)?;
        let names: BTreeSet<&str> = known.values().flatten().map(String::as_str).collect();
        if !names.contains(workload.as_str()) {
            return Err(unknown("workload in this store", workload, names).into());
        }
        runs.retain(|run| match known.get(&run.run_id) {
            Some(names) => names.contains(workload),
            None => matches!(run.state, RunState::Damaged(_)),
        });
    }
    let bytes = |files: &[benchbook_record::RunFile]| files.iter().map(|file| file.size_bytes).sum::<u64>();
    let batch = text_batch(&[
        ("run_id", runs.iter().map(|run| run.run_id.clone()).collect()),
        ("started_at", runs.iter().map(|run| moment(run.started_at_ns)).collect()),
        ("suite", runs.iter().map(|run| run.suite.clone()).collect()),
        ("tags", runs.iter().map(|run| run.tags.join(" ")).collect()),
        ("state", runs.iter().map(|run| state(&run.state)).collect()),
        ("size", runs.iter().map(|run| indicatif::HumanBytes(bytes(&run.files)).to_string()).collect()),
    ])?;
    output::print(&batch.schema(), &[batch], arguments.format)?;
    let damaged = runs.iter().any(|run| matches!(run.state, RunState::Damaged(_)));
    Ok(if damaged && arguments.strict { EXIT_ERROR } else { 0 })
}

/// The workloads of each run that has a trial, by its id.
fn workloads(store: &Store) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let answer = Session::open(store)?.sql("SELECT DISTINCT run_id, workload FROM trials")?;
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(&answer) {
        known.entry(row.text("run_id").unwrap_or_default()).or_default().extend(row.text("workload"));
    }
    Ok(known)
}

fn moment(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn state(state: &RunState) -> String {
    match state {
        RunState::Damaged(reason) => format!("damaged: {reason}"),
        other => other.name().to_owned(),
    }
}

fn check(location: &str, format: FormatArgs) -> Result<u8, Failure> {
    let damaged = verify(&Store::open(location)?)?;
    if damaged.is_empty() && format.format == Format::Table {
        writeln!(people(), "every file is as it was written")?;
        return Ok(0);
    }
    let batch = text_batch(&[
        ("file", damaged.iter().map(|damaged| damaged.path.clone()).collect()),
        ("damage", damaged.iter().map(|damaged| damaged.reason.clone()).collect()),
    ])?;
    output::print(&batch.schema(), &[batch], format)?;
    Ok(if damaged.is_empty() { 0 } else { EXIT_ERROR })
}

fn mend(location: &str, format: FormatArgs) -> Result<u8, Failure> {
    // Opened for reading first: a repair must not make a store where there is none.
    Store::open(location)?;
    let repaired = repair(&LocalStore::create_or_open(local_path(location)?)?)?;
    if repaired.is_empty() && format.format == Format::Table {
        writeln!(people(), "nothing to repair")?;
        return Ok(0);
    }
    let batch = text_batch(&[
        ("run_id", repaired.iter().map(|run| run.run_id.clone()).collect()),
        ("action", repaired.iter().map(|run| run.action.clone()).collect()),
        ("left_out", repaired.iter().map(|run| run.left_out.clone().unwrap_or_default()).collect()),
    ])?;
    output::print(&batch.schema(), &[batch], format)?;
    Ok(if repaired.iter().any(|run| run.untouched) { EXIT_ERROR } else { 0 })
}

fn join(from: &str, into: &str) -> Result<u8, Failure> {
    let merged = merge(&Store::open(from)?, &LocalStore::create_or_open(local_path(into)?)?)?;
    let mut out = people();
    writeln!(out, "{} runs copied, {} were here already", merged.copied, merged.identical)?;
    for damaged in &merged.left_out {
        writeln!(out, "left out: {}", on_one_line(&damaged.to_string()))?;
    }
    Ok(if merged.left_out.is_empty() { 0 } else { EXIT_ERROR })
}
