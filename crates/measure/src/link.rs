//! The way to a worker: through pipes to another process, or by a call in this one.

use std::time::Duration;

use benchbook_core::Array;
use benchbook_core::message::{Ask, Say};
use benchbook_record::Isolation;

use crate::frame::Arrays;
use crate::{Error, Result};

/// The thread that makes a worker's calls, which is the first of its process: what is read of it from outside tells what
/// happened to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Number of the process.
    pub process: u32,
    /// Number of the thread.
    pub thread: u32,
}

/// Carries one message at a time.
pub trait Link {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::WorkerLost`] when the worker has died, hung for longer than `timeout`, or talks nonsense: it is then of no
    /// further use.
    fn ask(&mut self, ask: &Ask, arrays: &[(&str, &Array)], timeout: Duration) -> Result<(Say, Arrays)>;

    /// Who makes the calls.
    fn caller(&self) -> Caller;

    /// Whether a replicate has a process of its own.
    fn isolation(&self) -> Isolation;

    /// The way to a fresh process like this one that gives back at once what it frees, so that its resident memory tells
    /// what is in use; nothing where this is no process.
    ///
    /// # Errors
    /// It cannot be started.
    fn keeping_nothing(&self) -> Result<Option<Box<dyn Link>>> {
        Ok(None)
    }
}

/// What an answer means that is not the one to what was asked.
pub(crate) fn unexpected(say: Say) -> Error {
    match say {
        Say::Unsupported { reason } => Error::Unsupported(reason),
        Say::Failed { message } => Error::Failed(message),
        other => Error::Unexpected(format!("{other:?}")),
    }
}
