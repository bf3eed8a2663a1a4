//! How a notebook went.

use std::path::PathBuf;

use super::event::{Event, FailureKind, Shown};

/// How a notebook went.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The file, as it was named.
    pub notebook: PathBuf,
    /// Cells that should run.
    pub cells: usize,
    /// Cells that ran well.
    pub cells_done: usize,
    /// How long it took, the Jupyter kernel's start included.
    pub seconds: f64,
    /// What went wrong; the first is the cause.
    pub failures: Vec<Failure>,
    /// What its cells have shown.
    pub shown: Vec<Shown>,
    /// The page, where one was asked for and written.
    pub html: Option<PathBuf>,
    /// The executed copy, where one was asked for and written.
    pub executed: Option<PathBuf>,
}

/// What went wrong with a notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it was.
    pub kind: FailureKind,
    /// The cell, among those that run, from 0.
    pub cell: Option<usize>,
    /// The cell's source.
    pub source: Option<String>,
    /// What was said about it.
    pub message: String,
}

impl Failure {
    /// A failure that belongs to no cell.
    pub(super) fn of(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, cell: None, source: None, message: message.into() }
    }
}

impl Report {
    /// A notebook of which nothing is known yet.
    pub(super) fn of(notebook: PathBuf) -> Self {
        Self {
            notebook,
            cells: 0,
            cells_done: 0,
            seconds: 0.0,
            failures: Vec::new(),
            shown: Vec::new(),
            html: None,
            executed: None,
        }
    }

    /// Whether it did all that was asked.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Adds what an event tells.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::Started { cells } => self.cells = *cells,
            Event::Cell { .. } => {}
            Event::CellDone { .. } => self.cells_done += 1,
            Event::Failed { kind, index, source, message } => {
                let (kind, cell) = (*kind, *index);
                self.failures.push(Failure { kind, cell, source: source.clone(), message: message.clone() });
            }
            Event::Done { ok, shown, .. } => {
                self.shown.clone_from(shown);
                if !ok && self.failures.is_empty() {
                    self.failures.push(Failure::of(FailureKind::Runner, "the notebook failed without a word of why"));
                }
            }
        }
    }
}
