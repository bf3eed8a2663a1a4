//! The table at the end: how each notebook went.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use benchbook_jupyter::{Failure as Why, Report, Shown};
use benchbook_report::duration;

use crate::args::Format;
use crate::error::Failure;
use crate::output::{self, text_batch};

/// Prints a row for each notebook.
pub fn print(reports: &[Report], format: Format) -> Result<(), Failure> {
    let batch = if format == Format::Table { for_people(reports)? } else { for_programs(reports)? };
    output::print(&batch.schema(), &[batch], format)
}

fn for_people(reports: &[Report]) -> Result<RecordBatch, Failure> {
    let column = |show: &dyn Fn(&Report) -> String| reports.iter().map(show).collect::<Vec<String>>();
    let mut columns = vec![
        ("notebook", column(&|report| report.notebook.display().to_string())),
        ("result", column(&|report| result(report).into())),
        ("cells", column(&|report| format!("{} of {}", report.cells_done, report.cells))),
        ("time", column(&|report| duration(report.seconds * 1e9))),
    ];
    let here = std::env::current_dir().unwrap_or_default();
    let files: [(&str, fn(&Report) -> Option<&PathBuf>); 2] =
        [("html", |report| report.html.as_ref()), ("executed", |report| report.executed.as_ref())];
    for (name, file) in files {
        if reports.iter().any(|report| file(report).is_some()) {
            columns.push((name, column(&|report| file(report).map(|file| shortest(file, &here)).unwrap_or_default())));
        }
    }
    text_batch(&columns)
}

fn for_programs(reports: &[Report]) -> Result<RecordBatch, Failure> {
    let texts = |show: &dyn Fn(&Report) -> Option<String>| {
        Arc::new(StringArray::from(reports.iter().map(show).collect::<Vec<_>>())) as ArrayRef
    };
    let numbers = |show: &dyn Fn(&Report) -> Option<usize>| {
        let number = |report| show(report).and_then(|number| i64::try_from(number).ok());
        Arc::new(Int64Array::from(reports.iter().map(number).collect::<Vec<_>>())) as ArrayRef
    };
    let sum = |count: fn(&Shown) -> usize| move |report: &Report| Some(report.shown.iter().map(count).sum());
    let path = |file: &Option<PathBuf>| file.as_ref().map(|file| file.display().to_string());
    let why = |report: &Report, show: fn(&Why) -> String| report.failures.first().map(show);
    let seconds = Float64Array::from(reports.iter().map(|report| report.seconds).collect::<Vec<_>>());
    let columns: [(&str, ArrayRef); 12] = [
        ("notebook", texts(&|report| Some(report.notebook.display().to_string()))),
        ("result", texts(&|report| Some(result(report).into()))),
        ("cells_done", numbers(&|report| Some(report.cells_done))),
        ("cells", numbers(&|report| Some(report.cells))),
        ("seconds", Arc::new(seconds)),
        ("figures", numbers(&sum(|shown| shown.figures))),
        ("tables", numbers(&sum(|shown| shown.tables))),
        ("failure", texts(&|report| why(report, |why| why.kind.name().into()))),
        ("failed_cell", numbers(&|report| report.failures.first()?.cell.map(|cell| cell + 1))),
        ("message", texts(&|report| why(report, |why| why.message.clone()))),
        ("html", texts(&|report| path(&report.html))),
        ("executed", texts(&|report| path(&report.executed))),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))?)
}

fn result(report: &Report) -> &'static str {
    if report.passed() { "passed" } else { "failed" }
}

/// The path from here, where the file lies below.
fn shortest(file: &Path, here: &Path) -> String {
    file.strip_prefix(here).unwrap_or(file).display().to_string()
}
