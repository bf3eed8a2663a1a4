//! What a gate found: its outcome, its files, its exit code.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::flagged::{Comparison, Label, Second};
use super::markdown::markdown;

/// All that a gate has to tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Label of the baseline.
    pub baseline: String,
    /// Label of the candidate.
    pub candidate: String,
    /// Whether the baseline was recorded earlier instead of being measured in the same blocks.
    pub sequential: bool,
    /// Why the two sides may not be compared at all.
    pub not_comparable: Option<String>,
    /// Every case and variant that both sides have.
    pub comparisons: Vec<Comparison>,
    /// What could not be compared.
    pub left_out: Vec<LeftOut>,
    /// What a reader has to know before believing a number (`budget exhausted`).
    pub warnings: Vec<String>,
    /// The machine in words, one fact each.
    pub machine: Vec<String>,
    /// Commands that do the same again, one a line.
    pub reproduce: String,
}

/// A case and variant that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Workload and case.
    pub case: String,
    /// The variant, without its build.
    pub variant: String,
    /// What is missing.
    pub missing: Missing,
    /// Why, in words.
    pub why: String,
}

/// What a comparison lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The baseline does not have it yet.
    New,
    /// The candidate does not have it any more.
    Gone,
    /// The candidate fails where the baseline does not.
    CandidateFails,
    /// The baseline fails where the candidate does not.
    BaselineFails,
    /// Both fail, or the case is not supported here.
    Both,
}

/// How a gate ended, the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something is slower, by an estimate that counts: never of two sides measured at different times.
    Regression,
    /// Something that the gate had to answer has no answer: the candidate fails where the baseline does not, or a
    /// case that looked slower could not be measured again.
    Incomplete,
    /// Nothing could be compared.
    NotComparable,
    /// Nothing is known to be slower, and not everything is known not to be.
    Undecided,
    /// Everything is faster or equivalent.
    Pass,
}

impl Report {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        let any = |label| self.comparisons.iter().any(|comparison| comparison.answer().label == label);
        let broken = self.left_out.iter().any(|one| one.missing == Missing::CandidateFails);
        if self.not_comparable.is_some() {
            Outcome::NotComparable
        } else if any(Label::Slower) {
            Outcome::Regression
        } else if broken || self.comparisons.iter().any(Comparison::is_open) {
            Outcome::Incomplete
        } else if self.comparisons.is_empty() {
            Outcome::NotComparable
        } else if any(Label::Undecided) {
            Outcome::Undecided
        } else {
            Outcome::Pass
        }
    }

    /// The report as JSON, with every digit; times of the candidate are in percent of the baseline's.
    pub fn json(&self) -> Value {
        let comparison = |one: &Comparison| {
            let answer = one.answer();
            json!({
                "case": one.case,
                "variant": one.variant,
                "verdict": answer.label,
                "said": answer.said,
                "reason": answer.reason,
                "time_change_percent": answer.estimate.and_then(|estimate| change(estimate.ratio)),
                "flagged": one.is_flagged(),
                "measured_twice": matches!(one.second, Second::Measured(_)),
                "estimate": answer.estimate,
                "first": one.first,
                "second": one.second,
            })
        };
        json!({
            "format": 1,
            "outcome": self.outcome(),
            "baseline": self.baseline,
            "candidate": self.candidate,
            "sequential": self.sequential,
            "not_comparable": self.not_comparable,
            "comparisons": self.comparisons.iter().map(comparison).collect::<Vec<_>>(),
            "left_out": self.left_out,
            "warnings": self.warnings,
            "machine": self.machine,
            "reproduce": self.reproduce,
        })
    }

    /// The report as Markdown, for a pull request.
    pub fn text(&self) -> String {
        markdown(self)
    }

    /// Whether [`Report::write`] can write this file, asked before anything is measured for it.
    ///
    /// # Errors
    /// Its name ends neither in `.md` nor in `.json`, it is there and no regular file, or its folder is missing or cannot be
    /// written.
    pub fn writable(file: &Path) -> io::Result<()> {
        is_json(file)?;
        part_beside(file).map(drop)
    }

    /// Writes the report, as JSON or Markdown by the end of the file's name; a name without an end means Markdown.
    ///
    /// # Errors
    /// Those of [`Report::writable`], or the disk is full; an older file is then left as it was.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let text = if is_json(file)? { format!("{:#}\n", self.json()) } else { markdown(self) };
        write_whole(file, text.as_bytes())
    }
}

/// Writes a file whole or not at all, for whom the umask lets read it.
///
/// # Errors
/// There is something else than a regular file, or the system refuses; an older file is then left as it was.
pub fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = part_beside(file)?;
    part.write_all(bytes)?;
    part.persist(file)?;
    Ok(())
}

fn is_json(file: &Path) -> io::Result<bool> {
    match file.extension() {
        Some(extension) if extension == "json" => Ok(true),
        Some(extension) if extension != "md" => Err(io::Error::other("the report of a gate is .md or .json")),
        _ => Ok(false),
    }
}

/// A temporary file that can take the place of `file`, and of nothing else.
fn part_beside(file: &Path) -> io::Result<NamedTempFile> {
    match file.symlink_metadata() {
        Ok(found) if found.is_dir() => return Err(io::Error::other("this is a folder, name a file in it")),
        Ok(found) if !found.is_file() => {
            return Err(io::Error::other("this is a link, a pipe or a device, name a file of your own"));
        }
        _ => {}
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(io::Error::other("its folder is missing, make it first"));
    }
    // Temporary files are private; a report is as any other file.
    let mode = Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".report").permissions(mode).tempfile_in(folder)
}

/// The exit code: 0 passed, 1 regression, 2 undecided if that is to fail, 3 not comparable, 4 incomplete.
pub fn exit_code(outcome: Outcome, undecided_fails: bool) -> u8 {
    match outcome {
        Outcome::Regression => 1,
        Outcome::Undecided if undecided_fails => 2,
        Outcome::NotComparable => 3,
        Outcome::Incomplete => 4,
        Outcome::Undecided | Outcome::Pass => 0,
    }
}

/// How much more time the candidate takes, in percent of the baseline's; nothing for a ratio that is no ratio.
pub(super) fn change(ratio: f64) -> Option<f64> {
    let percent = 100.0 * (1.0 / ratio - 1.0);
    (ratio > 0.0 && percent.is_finite()).then_some(percent)
}
