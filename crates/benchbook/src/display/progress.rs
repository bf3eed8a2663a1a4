//! Progress of a run as lines now and then, never inside a timed region.

use std::io::Write;

use benchbook_core::{counted, for_people};
use benchbook_measure::clock;
use benchbook_measure::run::{Observer, Pace, Progress};

/// Tells of a run on standard output.
#[derive(Debug, Default)]
pub(crate) struct Lines(Pace);

impl Observer for Lines {
    fn progress(&mut self, progress: Progress<'_>) {
        let now_ns = clock::now_ns();
        let line = self.0.take(&progress, now_ns);
        match progress {
            Progress::Started { run_id, trials, .. } => say(&format!("run {run_id}: {}", counted(trials, "trial"))),
            Progress::Note(text) => say(&format!("note: {text}")),
            _ => {}
        }
        if let Some(line) = line.filter(|_| self.0.is_due(now_ns)) {
            say(&format!("  {line}"));
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whether anyone reads must not matter to a measurement.
    let _ = writeln!(out, "{}", for_people(line)).and_then(|()| out.flush());
}
