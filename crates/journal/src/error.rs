//! What can go wrong between a row and its store.

use std::fmt::Display;
use std::io;
use std::path::Path;

use arrow::error::ArrowError;
use benchbook_core::without_passwords;

use crate::{SCHEMA_VERSION, Table};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of the record, of its stores and of what is read from elsewhere too.
///
/// Messages are lower-case fragments, complete in themselves; the program adds the context.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The location holds no store.
    #[error("`{location}` is not a benchbook store: {reason}")]
    NotAStore {
        /// The location as given.
        location: String,
        /// What was found instead, and what to do.
        reason: String,
    },
    /// The location is neither a path nor a URL that can be read.
    #[error("`{location}` cannot be opened: {reason}; give a folder or a URL such as s3://bucket/prefix")]
    Location {
        /// The location as given.
        location: String,
        /// Why not.
        reason: String,
    },
    /// Written by a later version of benchbook.
    #[error(
        "{what} has schema version {found}, this benchbook reads versions up to {SCHEMA_VERSION}: update benchbook (a \
         notebook has the library that it began with: `cargo xtask lab`, and restart its Jupyter kernel)"
    )]
    Newer {
        /// What carries the version.
        what: String,
        /// The version it carries.
        found: u64,
    },
    /// The file system refused.
    #[error("cannot {doing} `{path}`: {cause}{}", hint(cause))]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file.
        path: String,
        /// The system's answer.
        cause: io::Error,
    },
    /// Another writer holds the run.
    #[error("run {run_id} is being written by another process: wait for it to end, or stop it")]
    Busy {
        /// The run.
        run_id: String,
    },
    /// The run was written before.
    #[error("run {run_id} is in the store already: a run is written once, start a new one")]
    Exists {
        /// The run.
        run_id: String,
    },
    /// Content that fails its checksum or cannot be decoded.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// The file, relative to the store.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two stores hold different content under one run id.
    #[error("run {run_id} differs between the two stores in {what}: nothing was merged, move one of the two away")]
    Conflict {
        /// The run.
        run_id: String,
        /// The first file that differs.
        what: String,
    },
    /// A selector that fits no run.
    #[error("no run is `{selector}`: {candidates}")]
    NoRun {
        /// The selector as given.
        selector: String,
        /// The newest runs, or that there is none.
        candidates: String,
    },
    /// A selector that fits several runs.
    #[error("`{selector}` fits more than one run, give more of the id: {candidates}")]
    Ambiguous {
        /// The selector as given.
        selector: String,
        /// The runs it fits.
        candidates: String,
    },
    /// Text that is not a run id.
    #[error("`{0}` is not a run id: a lower-case UUID is expected")]
    RunId(String),
    /// A name that does not exist.
    #[error(transparent)]
    Unknown(#[from] benchbook_core::Error),
    /// An object store refused.
    #[error("cannot read `{location}`: {}", without_passwords(&cause.to_string()))]
    Remote {
        /// The store's location.
        location: String,
        /// The object store's answer.
        cause: io::Error,
    },
    /// Rows that do not fit their table, or cannot be read back.
    #[error("rows of `{table}` do not fit their schema: {cause}")]
    Rows {
        /// The table.
        table: Table,
        /// What does not fit.
        cause: ArrowError,
    },
    /// Arrow or Parquet refused.
    #[error("cannot {doing} `{path}`: {reason}")]
    Format {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file.
        path: String,
        /// The library's answer.
        reason: String,
    },
}

fn hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space: what was written before is kept, `benchbook store repair` turns it into Parquet"
        }
        io::ErrorKind::PermissionDenied => "; change its permissions or name another store",
        _ => "",
    }
}

impl Error {
    /// An [`Error::Io`] as a function for `map_err`.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { doing, path: path.display().to_string(), cause }
    }

    /// An [`Error::Format`] as a function for `map_err`.
    pub fn format<E: Display>(doing: &'static str, path: impl Display) -> impl FnOnce(E) -> Self {
        move |reason| Self::Format { doing, path: path.to_string(), reason: reason.to_string() }
    }

    /// An [`Error::Location`] as a function for `map_err`; it tells no password.
    pub fn location<E: Display>(location: &str) -> impl FnOnce(E) -> Self {
        move |reason| Self::Location {
            location: without_passwords(location),
            reason: without_passwords(&reason.to_string()),
        }
    }

    /// Whether this says that a file is absent.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Io { cause, .. } | Self::Remote { cause, .. } => cause.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}
