//! Why a notebook failed, for a person: file, cell, source, error.

use std::fmt::Write as _;

use benchbook_core::{for_people, on_one_line};
use benchbook_jupyter::{Failure, FailureKind, Report};

/// Lines shown of a long source: so many of its beginning and of its end.
const FIRST_LINES: usize = 30;
const LAST_LINES: usize = 5;

/// Everything that went wrong with a notebook.
pub fn describe(report: &Report) -> String {
    let file = on_one_line(&report.notebook.display().to_string());
    let one = |failure| describe_one(&file, report.cells, failure);
    report.failures.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn describe_one(file: &str, cells: usize, failure: &Failure) -> String {
    let mut text = format!("{file}: failed, {}", what(failure.kind));
    if let Some(cell) = failure.cell {
        // Cells are counted as Jupyter counts them when it runs all.
        let _ = write!(text, " in cell {} of {cells}, In [{}]", cell + 1, cell + 1);
    }
    if let Some(source) = &failure.source {
        let _ = write!(text, "\n{}", numbered(source));
    }
    for line in for_people(failure.message.trim_end()).lines() {
        let _ = write!(text, "\n    {line}");
    }
    text
}

fn what(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Error => "an error",
        FailureKind::Panic => "a panic",
        FailureKind::Timeout => "out of time",
        FailureKind::Output => "too much output",
        FailureKind::Dead => "the kernel died",
        FailureKind::Invalid => "it cannot be run",
        FailureKind::JupyterKernel => "no kernel",
        FailureKind::Runner => "the runner failed",
        FailureKind::Interrupted => "interrupted",
        FailureKind::Check => "it does not show what it declares",
    }
}

/// The lines with their numbers; of many, the first and the last.
fn numbered(source: &str) -> String {
    let source = for_people(source);
    let lines: Vec<&str> = source.lines().collect();
    let line = |number: usize| format!("{:6} | {}", number + 1, lines[number]);
    if lines.len() <= FIRST_LINES + LAST_LINES + 1 {
        return (0..lines.len()).map(line).collect::<Vec<_>>().join("\n");
    }
    let left_out = format!("       … {} lines more", lines.len() - FIRST_LINES - LAST_LINES);
    let (first, last) = (0..FIRST_LINES, lines.len() - LAST_LINES..lines.len());
    first.map(line).chain([left_out]).chain(last.map(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failure: Failure) -> Report {
        Report {
            notebook: "a/b.ipynb".into(),
            cells: 7,
            cells_done: 2,
            seconds: 1.0,
            failures: vec![failure],
            shown: Vec::new(),
            html: None,
            executed: None,
        }
    }

    #[test]
    fn file_cell_source_and_error_are_told() {
        let source = Some("let a = 1;\nf(a)".to_owned());
        let message = "error[E0425]: \u{1b}[31mnot found\nhelp".to_owned();
        let told = describe(&report(Failure { kind: FailureKind::Error, cell: Some(2), source, message }));
        let expected = "\
a/b.ipynb: failed, an error in cell 3 of 7, In [3]
     1 | let a = 1;
     2 | f(a)
    error[E0425]: \u{fffd}[31mnot found
    help";
        assert_eq!(told, expected);
        let message = "there is no kernel".to_owned();
        let told = describe(&report(Failure { kind: FailureKind::JupyterKernel, cell: None, source: None, message }));
        assert_eq!(told, "a/b.ipynb: failed, no kernel\n    there is no kernel");
    }

    #[test]
    fn a_long_source_is_shortened_in_the_middle() {
        let source: String = (1..=100).map(|number| format!("line{number}\n")).collect();
        let told = numbered(&source);
        assert_eq!(told.lines().count(), FIRST_LINES + LAST_LINES + 1);
        assert!(told.contains("    30 | line30\n       … 65 lines more\n    96 | line96"), "{told}");
        assert!(told.ends_with("   100 | line100"), "{told}");
        assert_eq!(numbered(&"x\n".repeat(36)).lines().count(), 36, "one line is not worth leaving out");
    }
}
