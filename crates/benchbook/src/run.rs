//! A run that has ended, as a notebook keeps it.

use std::fmt;

use benchbook_measure::run::RunSummary;
use benchbook_report::escaped;

use crate::display::{Bundle, Show};

/// A run that has ended; it names itself wherever a run is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run(RunSummary);

impl Run {
    pub(crate) fn new(summary: RunSummary) -> Self {
        Self(summary)
    }

    /// The run's id, a UUIDv7.
    pub fn id(&self) -> &str {
        &self.0.run_id
    }

    /// How it went, in numbers.
    pub fn summary(&self) -> &RunSummary {
        &self.0
    }
}

impl AsRef<str> for Run {
    fn as_ref(&self) -> &str {
        self.id()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Show for Run {
    fn bundle(&self) -> Bundle {
        let text = format!("{self}\nrecorded in {}", self.0.folder.display());
        Bundle {
            html: format!("<div class=\"benchbook-summary\"><p>{}</p></div>\n", escaped(&text)),
            text,
            ..Bundle::default()
        }
    }
}
