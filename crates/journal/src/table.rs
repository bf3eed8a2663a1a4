//! The tables of the record.

use std::fmt;

use crate::{Error, Result};

/// A table of the record; the order is that of the journal's codes and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// A row is a run, written before anything else, never changed.
    Runs,
    /// A row is a trial, written before its first sample, never changed.
    Trials,
    /// A row is one timed measurement.
    Samples,
    /// A row is the ending of a trial, or of the run where `trial` is null.
    Outcomes,
    /// A row is a metric of a trial or a sample that is not a time.
    Measures,
    /// A row is a correctness check of an output.
    Checks,
    /// A row is a reading of the machine.
    Telemetry,
    /// A row is something that happened.
    Events,
    /// A row is one turn of a loop with state: a token, a training step.
    Steps,
    /// A row is a number that a step says of itself.
    StepValues,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 10] = [
        Self::Runs,
        Self::Trials,
        Self::Samples,
        Self::Outcomes,
        Self::Measures,
        Self::Checks,
        Self::Telemetry,
        Self::Events,
        Self::Steps,
        Self::StepValues,
    ];

    /// The name in SQL and the stem of its Parquet files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Trials => "trials",
            Self::Samples => "samples",
            Self::Outcomes => "outcomes",
            Self::Measures => "measures",
            Self::Checks => "checks",
            Self::Telemetry => "telemetry",
            Self::Events => "events",
            Self::Steps => "steps",
            Self::StepValues => "step_values",
        }
    }

    /// What a row is, in one line.
    pub fn doc(self) -> &'static str {
        match self {
            Self::Runs => "a run, written before anything else, never changed",
            Self::Trials => "a trial: one variant on one case in one replicate, written before its first sample",
            Self::Samples => "a sample: one timed measurement in a block",
            Self::Outcomes => "the ending of a trial, or of the whole run where trial is null",
            Self::Measures => "a metric that is not a time: peak memory, clock resolution",
            Self::Checks => "a correctness check of an output of a trial, before or after its timing",
            Self::Telemetry => "a reading of the machine while the run went on",
            Self::Events => "something that happened",
            Self::Steps => "a step: one turn of the loop that a sample is, a token or a training step",
            Self::StepValues => "a number that a step says of itself: its loss, the tokens that were accepted",
        }
    }

    /// Name of the Parquet file of this table in a run's folder.
    pub fn file_name(self) -> String {
        format!("{}.parquet", self.name())
    }

    /// The table called `name`.
    ///
    /// # Errors
    /// No table has that name; the message names the nearest.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|table| table.name() == name)
            .ok_or_else(|| Error::Unknown(benchbook_core::unknown("table", name, Self::ALL.map(Self::name))))
    }

    /// The number of this table in a journal's frames.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// The table with this number.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.code() == code)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
