//! Which trials may be used: those that passed the check before their first sample and the one after their last.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use benchbook_record::{Damaged, Table};
use datafusion::common::Result;

use crate::facts::{Sources, column, ints, text};

/// A trial of a run.
type Key = (String, i64);

/// What speaks for and against every trial.
pub(crate) struct Validity<'a> {
    against: HashMap<Key, &'static str>,
    unreadable: HashMap<String, &'static str>,
    /// Trials that passed a check, by phase.
    before: HashSet<Key>,
    after: HashSet<Key>,
    /// Trials that have an outcome.
    ended: HashSet<Key>,
    /// Those of them that were cut short.
    cut: HashSet<Key>,
    live: &'a HashSet<String>,
}

impl<'a> Validity<'a> {
    pub(crate) fn gather(sources: &'a Sources, damaged: &[Damaged]) -> Result<Self> {
        let mut found = Self {
            against: HashMap::new(),
            unreadable: unreadable(damaged),
            before: HashSet::new(),
            after: HashSet::new(),
            ended: HashSet::new(),
            cut: HashSet::new(),
            live: &sources.live,
        };
        for batch in &sources.checks {
            found.check(batch)?;
        }
        for batch in &sources.outcomes {
            found.outcome(batch)?;
        }
        Ok(found)
    }

    fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        let (run_ids, trials, phases) = (text(batch, "run_id")?, ints(batch, "trial")?, text(batch, "phase")?);
        let passed = column(batch, "passed")?.as_boolean();
        for row in 0..batch.num_rows() {
            let key = (run_ids.value(row).to_owned(), trials.value(row));
            let after = phases.value(row) == "after";
            if passed.is_valid(row) && passed.value(row) {
                let right = if after { &mut self.after } else { &mut self.before };
                right.insert(key);
            } else {
                let reason = if after { "check_failed_after" } else { "check_failed_before" };
                self.against.entry(key).or_insert(reason);
            }
        }
        Ok(())
    }

    fn outcome(&mut self, batch: &RecordBatch) -> Result<()> {
        let (run_ids, trials, statuses) = (text(batch, "run_id")?, ints(batch, "trial")?, text(batch, "status")?);
        for row in (0..batch.num_rows()).filter(|row| trials.is_valid(*row)) {
            let key = (run_ids.value(row).to_owned(), trials.value(row));
            let reason = match statuses.value(row) {
                "failed" => Some("trial_failed"),
                "wrong" => Some("trial_wrong"),
                "unsupported" => Some("trial_unsupported"),
                "invalid" => Some("trial_invalid"),
                _ => None,
            };
            if let Some(reason) = reason {
                self.against.entry(key.clone()).or_insert(reason);
            }
            if statuses.value(row) == "interrupted" {
                self.cut.insert(key.clone());
            }
            self.ended.insert(key);
        }
        Ok(())
    }

    /// Why no sample of a trial may be used; nothing if they may.
    pub(crate) fn reason(&self, run_id: &str, trial: i64) -> Option<&'static str> {
        let key = (run_id.to_owned(), trial);
        let against = self.against.get(&key).or_else(|| self.unreadable.get(run_id)).copied();
        // A trial that was cut short before its first check has measured nothing, right or wrong.
        let unchecked = if self.cut.contains(&key) && !self.before.contains(&key) { "not_begun" } else { "unchecked" };
        against.or_else(|| (!self.is_checked(&key)).then_some(unchecked))
    }

    /// Whether a trial passed every check that it has come to: one that is still running, in a run whose writer is
    /// at work, has come to the first alone. Where the writer is gone, every trial has ended.
    fn is_checked(&self, key: &Key) -> bool {
        let running = self.live.contains(&key.0) && !self.ended.contains(key);
        self.before.contains(key) && (running || self.after.contains(key))
    }
}

/// What became of a trial that may not be used, in the one word that every table has for it.
pub(crate) fn word(reason: &str) -> String {
    match reason {
        "trial_wrong" | "check_failed_before" | "check_failed_after" => "wrong".to_owned(),
        other => other.trim_start_matches("trial_").replace('_', "-"),
    }
}

/// Runs whose checks or outcomes cannot be read: their samples cannot be trusted.
fn unreadable(damaged: &[Damaged]) -> HashMap<String, &'static str> {
    let tables = [(Table::Checks, "checks_unreadable"), (Table::Outcomes, "outcomes_unreadable")];
    let mut runs = HashMap::new();
    for file in damaged {
        let mut parts = file.path.rsplit('/');
        let name = parts.next().unwrap_or_default();
        let run = parts.next().and_then(|folder| folder.strip_prefix("run_id="));
        let reason = tables.iter().find(|(table, _)| name == table.file_name());
        if let (Some(run), Some((_, reason))) = (run, reason) {
            runs.entry(run.to_owned()).or_insert(*reason);
        }
    }
    runs
}
