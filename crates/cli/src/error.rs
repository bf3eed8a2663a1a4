//! Failures and exit codes.

use std::fmt::Display;

pub use crate::people::say;

/// Something became slower, and the user asked to be told by the exit code.
pub const EXIT_REGRESSION: u8 = 1;
/// A worker was looked at, and does something wrong.
pub const EXIT_WRONG_WORKER: u8 = 1;
/// A kernel was looked at, and is wrong.
pub const EXIT_WRONG: u8 = 1;
/// Nothing could be decided, and the user asked to be told by the exit code.
pub const EXIT_UNDECIDED: u8 = 2;
/// The two sides may not be compared.
pub const EXIT_NOT_COMPARABLE: u8 = 3;
/// Everything else: usage errors and panics included.
pub const EXIT_ERROR: u8 = 4;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Two runs come from environments that differ.
    #[error("{0}")]
    NotComparable(String),
    /// Everything else, with the context of the command.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// A failure from any error, with what was being done.
    pub fn while_doing(what: &str, error: impl Display) -> Self {
        Self::Other(format!("{what}: {error}"))
    }

    /// A failure from words alone.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Other(text.into())
    }

    /// The exit code that goes with it.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotComparable(_) => EXIT_NOT_COMPARABLE,
            Self::Other(_) => EXIT_ERROR,
        }
    }

    /// Tells the user.
    pub fn print(&self) {
        say(format_args!("error: {self}"));
    }
}

impl From<benchbook_report::Error> for Failure {
    fn from(error: benchbook_report::Error) -> Self {
        match error {
            benchbook_report::Error::NotComparable(text) => Self::NotComparable(text),
            other => Self::Other(other.to_string()),
        }
    }
}

/// Errors of the libraries say what happened and what to do; they stand as they are.
macro_rules! plain {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Other(error.to_string())
            }
        })*
    };
}

plain!(
    std::io::Error,
    crate::revisions::RevisionError,
    benchbook_core::Error,
    benchbook_matrix::Error,
    benchbook_record::Error,
    benchbook_query::Error,
    benchbook_measure::Error,
    benchbook_jupyter::Error,
    benchbook_report::charts::Error,
    arrow::error::ArrowError,
    parquet::errors::ParquetError,
    serde_json::Error
);
