//! Progress of a run as lines now and then, never inside a timed region.

use std::io::Write;

use benchbook_core::{counted, for_people};
use benchbook_measure::clock;
use benchbook_measure::run::{Observer, Progress};

/// Least time between two lines, in nanoseconds.
const QUIET_NS: i64 = 2_000_000_000;

/// Tells of a run on standard output.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    groups: usize,
    told_at_ns: i64,
}

impl Lines {
    fn say(&mut self, line: &str) {
        self.told_at_ns = clock::now_ns();
        let mut out = std::io::stdout().lock();
        // Whether anyone reads must not matter to a measurement.
        let _ = writeln!(out, "{}", for_people(line)).and_then(|()| out.flush());
    }
}

impl Observer for Lines {
    fn progress(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Started { run_id, groups, trials } => {
                self.groups = groups;
                self.say(&format!("run {run_id}: {}", counted(trials, "trial")));
            }
            Progress::GroupDone { done } if clock::now_ns() - self.told_at_ns >= QUIET_NS => {
                self.say(&format!("  {done} of {} cases and replicates", self.groups));
            }
            Progress::Note(text) => self.say(&format!("note: {text}")),
            _ => {}
        }
    }
}
