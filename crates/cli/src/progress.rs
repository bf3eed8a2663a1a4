//! Progress of a run: a bar on a terminal, a line now and then elsewhere, always on stderr.

use std::io::IsTerminal;

use benchbook_core::{counted, on_one_line};
use benchbook_measure::run::{Observer, Progress};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::say;

/// Shows a run as it goes.
pub struct Bar {
    bar: ProgressBar,
    terminal: bool,
    groups: usize,
}

impl Bar {
    /// A bar on a terminal, plain lines where stderr is something else.
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), terminal: std::io::stderr().is_terminal(), groups: 0 }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Bar {
    fn progress(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Started { run_id, groups, trials } => {
                say(format_args!("run {run_id}: {} in {groups} cases and replicates", counted(trials, "trial")));
                self.groups = groups;
                if self.terminal {
                    self.bar = ProgressBar::new(groups as u64);
                    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} (left {eta}) {msg}");
                    self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                }
            }
            Progress::Planned { groups } => {
                self.groups = groups;
                self.bar.set_length(groups as u64);
            }
            Progress::Preparing { case, variant, .. } => {
                self.bar.set_message(on_one_line(&format!("{case}: preparing {variant}")));
            }
            Progress::Block { case, replicate, block, blocks, .. } => {
                let text = format!("{case}: replicate {replicate}, block {block} of {blocks}");
                self.bar.set_message(on_one_line(&text));
            }
            Progress::GroupDone { done } => {
                self.bar.set_position(done as u64);
                // Ten lines a run are enough in a log.
                if !self.terminal && (done == self.groups || done % self.groups.div_ceil(10).max(1) == 0) {
                    say(format_args!("  {done} of {}", self.groups));
                }
            }
            Progress::Note(text) => self.bar.suspend(|| say(format_args!("note: {text}"))),
        }
    }
}
