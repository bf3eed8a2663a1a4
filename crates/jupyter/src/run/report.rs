//! How a notebook went, and whether it has shown what its metadata declares.

use std::path::PathBuf;

use serde_json::Value;

use super::messages::{Event, FailureKind, Shown};

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

/// A sentence for each cell that has shown less than it declares.
pub(super) fn unkept(shown: &[Shown]) -> Vec<String> {
    shown.iter().filter_map(|cell| Some(format!("cell {}: {}", cell.cell + 1, unkept_of(cell)?))).collect()
}

fn unkept_of(cell: &Shown) -> Option<String> {
    let Some(declared) = words(&cell.declared) else {
        return Some(format!("metadata.benchbook.shows is {}, write a list of words", cell.declared));
    };
    let kinds = [("figure", cell.figures), ("table", cell.tables), ("summary", cell.summaries)];
    let unknown = declared.iter().find(|word| !kinds.iter().any(|(kind, _)| kind == *word));
    if let Some(unknown) = unknown {
        return Some(format!("metadata.benchbook.shows has `{unknown}`, known are figure, table and summary"));
    }
    let less = |(kind, found): (&str, usize)| {
        let wanted = declared.iter().filter(|word| **word == kind).count();
        (found < wanted).then(|| format!("it declares {wanted} {kind} and shows {found}"))
    };
    let less: Vec<String> = kinds.into_iter().filter_map(less).collect();
    (!less.is_empty()).then(|| less.join(", "))
}

fn words(declared: &Value) -> Option<Vec<&str>> {
    declared.as_array()?.iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unkept_by(declared: Value, figures: usize, tables: usize, summaries: usize) -> Vec<String> {
        unkept(&[Shown { cell: 4, declared, figures, tables, summaries }])
    }

    #[test]
    fn more_than_declared_is_fine_and_less_is_told() {
        assert_eq!(unkept(&[]), Vec::<String>::new());
        assert_eq!(unkept_by(json!([]), 1, 0, 0), Vec::<String>::new());
        assert_eq!(unkept_by(json!(["figure", "table", "summary"]), 1, 2, 1), Vec::<String>::new());
        assert_eq!(
            unkept_by(json!(["figure", "figure", "table"]), 1, 0, 0),
            ["cell 5: it declares 2 figure and shows 1, it declares 1 table and shows 0"]
        );
        assert_eq!(unkept_by(json!(["summary"]), 1, 1, 0), ["cell 5: it declares 1 summary and shows 0"]);
    }

    #[test]
    fn a_declaration_that_cannot_be_read_is_no_pass() {
        for (declared, part) in [(json!("figure"), "a list"), (json!([3]), "a list"), (json!(["grap"]), "`grap`")] {
            let told = unkept_by(declared, 9, 9, 9);
            assert!(told.len() == 1 && told[0].contains(part), "{told:?}");
        }
    }
}
