//! Progress of notebooks: bars on a terminal, a line per cell elsewhere, always on stderr.

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use benchbook_core::{counted, on_one_line};
use benchbook_jupyter::{Event, Observer, Report};
use benchbook_report::duration;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::failure::describe;
use crate::error::say;

/// The longest beginning of a cell that is shown, in characters.
const LINE_CHARS: usize = 60;

/// Shows notebooks as they go.
pub struct Progress {
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
