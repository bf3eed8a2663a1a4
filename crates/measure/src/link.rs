//! The way to a worker: through pipes to another process, or by a call in this one.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use benchbook_core::message::{Ask, Description, Say};
use benchbook_core::{Array, Params, Registry};
use benchbook_journal::Isolation;
use benchbook_process::Process;
use nix::unistd::gettid;

use crate::disturbance::Load;
use crate::driver::Driver;
use crate::executor::{Cases, LOOKUP_TIMEOUT, Offers};
use crate::frame::Arrays;
use crate::host::{Host, Worker};
use crate::references::Shared;
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

impl Caller {
    /// The thread that asks.
    pub fn this_thread() -> Self {
        Self { process: std::process::id(), thread: gettid().as_raw().cast_unsigned() }
    }
}

/// A process that starts: the way to it, once it has greeted.
pub type Starting = Box<dyn FnOnce() -> Result<Box<dyn Link>>>;

/// Carries one message at a time.
pub trait Link {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::WorkerLost`] when the worker has died, hung for longer than `timeout`, or talks nonsense: it is then of no
    /// further use.
    fn ask(&mut self, ask: &Ask, arrays: &[(&str, &Array)], timeout: Duration) -> Result<(Say, Arrays)>;

    /// Lets answers that bring arrays bring so many bytes from now on: more of them end the worker.
    fn expect(&mut self, _most_bytes: u64) {}

    /// Who makes the calls.
    fn caller(&self) -> Caller;

    /// Whether the worker has started a process.
    fn has_started(&self, process: u32) -> bool {
        Process::descends(Path::new("/"), process, self.caller().process)
    }

    /// Whether a replicate has a process of its own.
    fn isolation(&self) -> Isolation;

    /// Begins to end the process at the other end, where there is one: it is of no further use.
    fn let_go(&mut self) {}

    /// Starts a fresh process like this one that gives back at once what it frees, so that its resident memory tells what is in
    /// use; nothing where this is no process.
    ///
    /// # Errors
    /// It cannot be started.
    fn keeping_nothing(&self) -> Result<Option<Starting>> {
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

impl<L: Link + ?Sized> Offers for L {
    fn describe(&mut self) -> Result<Description> {
        match self.ask(&Ask::Describe, &[], LOOKUP_TIMEOUT)? {
            (Say::Description(description), _) => Ok(*description),
            (other, _) => Err(refused(unexpected(other))),
        }
    }

    fn resolve(&mut self, workload: &str, preset: Option<&str>, combinations: &[Params]) -> Result<Cases> {
        let (preset, combinations) = (preset.map(str::to_owned), combinations.to_vec());
        match self.ask(&Ask::Resolve { workload: workload.to_owned(), preset, combinations }, &[], LOOKUP_TIMEOUT)? {
            (Say::Cases { cases, impossible }, _) => Ok(Cases { cases, impossible }),
            (other, _) => Err(refused(unexpected(other))),
        }
    }
}

/// What an error means where the question was about names and parameters.
pub(crate) fn refused(error: Error) -> Error {
    match error {
        Error::Failed(message) => Error::Refused(message),
        other => other,
    }
}

/// Runs kernels in this process.
///
/// A kernel that hangs cannot be ended here; the timeout does not apply.
#[derive(Clone)]
pub struct InProcess {
    worker: Rc<RefCell<Worker>>,
    /// What others take of the processors, over the trials of all executors.
    load: Rc<RefCell<Load>>,
}

impl InProcess {
    /// A worker of what `host` offers; its clones share it.
    pub fn new(host: Host) -> Self {
        Self { worker: Rc::new(RefCell::new(Worker::new(host))), load: Rc::default() }
    }

    /// Adds workloads and implementations to what is offered.
    pub fn extend(&self, extend: impl FnOnce(&mut Registry)) {
        self.worker.borrow_mut().extend(extend);
    }

    /// Measures here, checked against these answers.
    pub fn executor(&self, references: &Shared) -> Driver {
        Driver::new(Box::new(self.clone()), references).sharing(&self.load)
    }
}

impl Link for InProcess {
    fn ask(&mut self, ask: &Ask, arrays: &[(&str, &Array)], _timeout: Duration) -> Result<(Say, Arrays)> {
        let arrays = arrays.iter().map(|(name, array)| ((*name).to_owned(), (*array).clone())).collect();
        Ok(self.worker.borrow_mut().answer(ask.clone(), arrays))
    }

    fn caller(&self) -> Caller {
        Caller::this_thread()
    }

    fn isolation(&self) -> Isolation {
        Isolation::InProcess
    }
}
