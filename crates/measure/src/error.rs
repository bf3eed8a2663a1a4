//! What can go wrong while measuring.

use std::path::PathBuf;

use crate::steps::Steps;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of measuring. What a kernel cannot do, or fails at, is one of them only on its way to the run, which makes it an
/// outcome in the record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The worker program is not where it was looked for.
    #[error("no worker program at {0}: build it with `cargo build --release`, or set BENCHBOOK_WORKER")]
    NoWorker(PathBuf),
    /// The worker program could not be started.
    #[error("the worker {program} cannot be started: {source}")]
    Spawn {
        /// What was started.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The program did not greet as a worker does.
    #[error("{program} did not greet as a worker: {reason}; name another in BENCHBOOK_WORKER, or unset it")]
    NotAWorker {
        /// What was started.
        program: PathBuf,
        /// What is known of its end.
        reason: String,
    },
    /// A worker of another program cannot be had.
    #[error(
        "the worker `{name}` ({command}) cannot be had: {reason}; `benchbook worker check` looks at all that it does"
    )]
    Foreign {
        /// What people call it.
        name: String,
        /// What starts it.
        command: String,
        /// What it did, or what is in its way.
        reason: String,
    },
    /// The worker speaks another version of the protocol.
    #[error("the worker speaks protocol {worker}, this program {ours}: build both from one revision")]
    Protocol {
        /// The worker's version.
        worker: u32,
        /// This program's version.
        ours: u32,
    },
    /// The worker is gone.
    #[error("the worker {worker} was lost: {reason}")]
    WorkerLost {
        /// Which worker.
        worker: String,
        /// What is known of its end.
        reason: String,
        /// Whether it lived and did not answer in time.
        hung: bool,
    },
    /// The implementation cannot take a case here, in its own words.
    #[error("{0}")]
    Unsupported(String),
    /// What was asked for could not be done; the worker goes on.
    #[error("{0}")]
    Failed(String),
    /// The loop of a trial has failed on its way; the worker goes on.
    #[error("{message}")]
    Broken {
        /// What failed.
        message: String,
        /// The steps that it had made by then.
        steps: Box<Steps>,
    },
    /// The worker answered something else than it was asked.
    #[error("unexpected reply {0}")]
    Unexpected(String),
    /// The run was ended from outside while a worker was waited for.
    #[error("interrupted before the worker had answered")]
    Interrupted,
    /// A message that is not one.
    #[error("a message cannot be read: {0}")]
    Message(String),
    /// The worker refused a request of the plan: unknown names, impossible parameters.
    #[error("{0}")]
    Refused(String),
    /// The plan is not one that can be run.
    #[error(transparent)]
    Plan(#[from] benchbook_core::Error),
    /// The record could not be written.
    #[error(transparent)]
    Record(#[from] benchbook_journal::Error),
    /// A statistic of what was measured cannot be computed.
    #[error(transparent)]
    Statistic(#[from] benchbook_stats::Error),
    /// The interrupt handler, a pipe or the like failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
