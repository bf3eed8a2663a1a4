//! `benchbook notebook run`: the run itself, bars on a terminal or a line per cell elsewhere, and the table at the end.

mod failure;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use benchbook_core::{counted, on_one_line};
use benchbook_jupyter::{
    Event, Failure as Why, Interpreter, Observer, Report, Settings, Shown, Surroundings, run_notebooks,
};
use benchbook_report::duration;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use self::failure::describe;
use crate::args::{Format, NotebookAction, NotebookArgs, NotebookRunArgs, once};
use crate::error::{EXIT_ERROR, Failure, say};
use crate::output::{self, text_batch};
use crate::progress::interrupt_flag;

/// Runs notebooks.
pub fn notebook(arguments: NotebookArgs) -> Result<u8, Failure> {
    match arguments.action {
        NotebookAction::Run(arguments) => run(arguments),
    }
}

fn run(arguments: NotebookRunArgs) -> Result<u8, Failure> {
    let python = Interpreter::find(&Surroundings::here()?, None)?;
    let files = without_repeats(arguments.files);
    if arguments.jobs.get() > 1 && files.len() > 1 {
        say("note: notebooks that run at the same time disturb each other's measurements");
    }
    let settings = Settings {
        python,
        jupyter_kernel: arguments.kernel,
        quick: arguments.quick,
        values: once("--param", &arguments.params, "leave one of them out")?.into_iter().collect(),
        html: arguments.html,
        executed: arguments.executed,
        jobs: arguments.jobs,
        cell_timeout: arguments.timeout,
        max_output_bytes: arguments.max_output,
        check: arguments.check,
    };
    let interrupted = interrupt_flag("ending the kernels")?;
    let progress = Progress::of(&files);
    let reports = run_notebooks(&files, &settings, &interrupted, &progress)?;
    print(&reports, arguments.format.format)?;
    Ok(if reports.iter().all(|report| report.passed()) { 0 } else { EXIT_ERROR })
}

/// Each file once, also where a pattern and a name give it twice.
fn without_repeats(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    files
}

/// The longest beginning of a cell that is shown, in characters.
const LINE_CHARS: usize = 60;

/// Shows notebooks as they go.
struct Progress {
    bars: Option<MultiProgress>,
    notebooks: Vec<Mutex<State>>,
}

/// What is known of a notebook that runs.
struct State {
    name: String,
    cells: usize,
    line: String,
    bar: ProgressBar,
}

impl Progress {
    /// Bars on a terminal, plain lines where stderr is something else.
    pub fn of(files: &[PathBuf]) -> Self {
        let state = |file: &PathBuf| State {
            name: on_one_line(&file.display().to_string()),
            cells: 0,
            line: String::new(),
            bar: ProgressBar::hidden(),
        };
        Self {
            bars: std::io::stderr().is_terminal().then(MultiProgress::new),
            notebooks: files.iter().map(|file| Mutex::new(state(file))).collect(),
        }
    }

    /// Speaks between the bars.
    fn say(&self, text: impl Display) {
        match &self.bars {
            Some(bars) => bars.suspend(|| say(text)),
            None => say(text),
        }
    }
}

impl Observer for Progress {
    fn event(&self, notebook: usize, event: &Event) {
        let mut state = self.notebooks[notebook].lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { cells } => {
                state.cells = *cells;
                if let Some(bars) = &self.bars {
                    state.bar = bars.add(ProgressBar::new(*cells as u64));
                    let style = ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len} {msg}");
                    state.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                    state.bar.set_prefix(state.name.clone());
                } else {
                    self.say(format_args!("{}: {}", state.name, counted(*cells, "cell")));
                }
            }
            Event::Cell { index, line, .. } => {
                state.line = on_one_line(line).chars().take(LINE_CHARS).collect();
                state.bar.set_position(*index as u64);
                state.bar.set_message(state.line.clone());
            }
            Event::CellDone { index, seconds } => {
                state.bar.set_position(*index as u64 + 1);
                if self.bars.is_none() {
                    let State { name, cells, line, .. } = &*state;
                    self.say(format_args!("{name}: cell {} of {cells}, {seconds:.1} s: {line}", index + 1));
                }
            }
            Event::Failed { .. } | Event::Done { .. } => {}
        }
    }

    fn finished(&self, notebook: usize, report: &Report) {
        let state = self.notebooks[notebook].lock().unwrap_or_else(PoisonError::into_inner);
        state.bar.finish_and_clear();
        if report.passed() {
            let (name, time) = (&state.name, duration(report.seconds * 1e9));
            self.say(format_args!("{name}: passed, {} in {time}", counted(report.cells_done, "cell")));
        } else {
            self.say(describe(report));
        }
    }
}

/// Prints a row for each notebook.
fn print(reports: &[Report], format: Format) -> Result<(), Failure> {
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
