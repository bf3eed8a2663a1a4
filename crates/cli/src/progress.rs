//! While a run goes on: its progress, one line on a terminal, lines now and then elsewhere, always on stderr; and Ctrl-C,
//! once to end in order, twice to end at once.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use benchbook_core::counted;
use benchbook_measure::clock;
use benchbook_measure::run::{Observer, Pace, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{EXIT_ERROR, Failure, say};

/// Shows a run as it goes.
pub struct Bar {
    bar: ProgressBar,
    terminal: bool,
    groups: usize,
    pace: Pace,
}

impl Bar {
    /// One line on a terminal that moves with every block, lines now and then where stderr is something else.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { bar: ProgressBar::hidden(), terminal, groups: 0, pace: Pace::default() }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Bar {
    fn progress(&mut self, progress: Progress<'_>) {
        let now_ns = clock::now_ns();
        let line = self.pace.take(&progress, now_ns);
        match progress {
            Progress::Started { run_id, groups, trials } => {
                say(format_args!("run {run_id}: {} in {groups} cases and replicates", counted(trials, "trial")));
                self.groups = groups;
                if self.terminal {
                    self.bar = ProgressBar::new_spinner();
                    let style = ProgressStyle::with_template("{wide_msg}");
                    self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                }
            }
            Progress::Planned { groups } => self.groups = groups,
            Progress::Note(text) => self.bar.suspend(|| say(format_args!("note: {text}"))),
            _ => {}
        }
        let Some(line) = line else { return };
        let is_last = matches!(progress, Progress::GroupDone { done } if done == self.groups);
        if self.terminal {
            self.bar.set_message(line);
        } else if self.pace.is_due(now_ns) || is_last {
            say(format_args!("  {line}"));
        }
    }
}

/// A flag that Ctrl-C sets, `doing` said then; a second Ctrl-C ends the program at once.
pub fn interrupt_flag(doing: &'static str) -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let handler = move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(EXIT_ERROR.into());
        }
        say(format_args!("interrupted: {doing}, once more to stop at once"));
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::while_doing("listening for Ctrl-C", error))?;
    Ok(flag)
}
