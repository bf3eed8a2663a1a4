//! What `run.py` is told, and what it says while a notebook runs: one JSON object a line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One notebook and how to run it, as JSON on the standard input of `run.py`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Job {
    pub notebook: PathBuf,
    pub kernel: String,
    pub inject: String,
    pub cell_timeout_s: f64,
    pub max_output_bytes: u64,
    pub executed: Option<PathBuf>,
    pub html: Option<PathBuf>,
    pub plotly_js: PathBuf,
    pub cwd: PathBuf,
}

impl Job {
    /// The folder that the notebook lies in, which is also where it runs.
    pub(super) fn folder_of(notebook: &Path) -> PathBuf {
        notebook.parent().unwrap_or(Path::new("/")).to_owned()
    }

    /// The longest silence that a healthy `run.py` may keep: a cell, its late output, and a slow start of the Jupyter
    /// kernel.
    pub(super) fn patience(&self) -> Duration {
        const START: Duration = Duration::from_secs(900);
        Duration::try_from_secs_f64(2.0 * self.cell_timeout_s).unwrap_or(Duration::MAX).saturating_add(START)
    }
}

/// Something that happened to a notebook. Cells are those that run, counted from 0, the injected one among them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The file was read.
    Started {
        /// How many cells will run.
        cells: usize,
    },
    /// A cell begins.
    Cell {
        /// The cell.
        index: usize,
        /// How many there are.
        cells: usize,
        /// The first line of its source.
        line: String,
    },
    /// A cell ended well.
    CellDone {
        /// The cell.
        index: usize,
        /// How long it took.
        seconds: f64,
    },
    /// Something went wrong.
    Failed {
        /// What it was.
        kind: FailureKind,
        /// The cell, if it was a cell.
        index: Option<usize>,
        /// Its source.
        source: Option<String>,
        /// What was said about it.
        message: String,
    },
    /// The notebook is at its end, and its files are written.
    Done {
        /// Whether all went well.
        ok: bool,
        /// How long it all took, the Jupyter kernel's start included.
        seconds: f64,
        /// What each cell that shows something has shown.
        shown: Vec<Shown>,
    },
}

/// What a cell has shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Shown {
    /// The cell, among all cells of the file, from 0.
    pub cell: usize,
    /// What its metadata says that it shows: `figure`, `table` or `summary`, each as often as it is shown.
    pub declared: serde_json::Value,
    /// Figures.
    pub figures: usize,
    /// Tables.
    pub tables: usize,
    /// Summaries of runs.
    pub summaries: usize,
}

/// Why a notebook failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A cell did not compile, or returned an error.
    Error,
    /// A cell panicked.
    Panic,
    /// A cell did not end in time.
    Timeout,
    /// A cell wrote too much.
    Output,
    /// The Jupyter kernel ended.
    Dead,
    /// The file is no notebook, or does not take what it is given.
    Invalid,
    /// The Jupyter kernel could not be started.
    #[serde(rename = "kernel")]
    JupyterKernel,
    /// The process that runs the notebook failed.
    Runner,
    /// Someone asked for the end.
    Interrupted,
    /// It ran, and did not show what it declares.
    Check,
}

impl FailureKind {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Output => "output",
            Self::Dead => "dead",
            Self::Invalid => "invalid",
            Self::JupyterKernel => "kernel",
            Self::Runner => "runner",
            Self::Interrupted => "interrupted",
            Self::Check => "check",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_is_read() {
        let read = |line: &str| serde_json::from_str::<Event>(line);
        for line in [
            r#"{"event": "started", "cells": 3}"#,
            r#"{"event": "cell", "index": 0, "cells": 3, "line": "let a = 1;"}"#,
            r#"{"event": "cell_done", "index": 0, "seconds": 1.25}"#,
            r#"{"event": "failed", "kind": "dead", "index": null, "source": null, "message": "gone"}"#,
            r#"{"event": "done", "ok": true, "seconds": 2, "shown": [{"cell": 1, "declared": ["table"], "figures": 0, "tables": 1, "summaries": 0}]}"#,
        ] {
            read(line).expect(line);
        }
        for line in ["", "42", "{}", r#"{"event": "else"}"#, r#"{"event": "started"}"#] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn words_agree_with_the_contract() {
        for word in ["error", "panic", "timeout", "output", "dead", "invalid", "kernel"] {
            let kind: FailureKind = serde_json::from_value(word.into()).expect(word);
            assert_eq!(kind.name(), word);
        }
    }
}
