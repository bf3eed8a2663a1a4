//! Whoever carries out requests: a worker process, or this process.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use benchbook_core::Variant;
use benchbook_core::message::{Reply, Request};
use benchbook_record::Isolation;

use crate::Result;
use crate::handler::{Handler, Host};

/// Carries out one request at a time.
pub trait Executor {
    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// [`crate::Error::WorkerLost`] when the worker has died, hung for longer than `timeout`, or talks
    /// nonsense: it is then of no further use.
    fn request(&mut self, request: Request, timeout: Duration) -> Result<Reply>;

    /// Whether a replicate has a process of its own.
    fn isolation(&self) -> Isolation;

    /// Process id of the worker, where there is one.
    fn pid(&self) -> Option<u32>;

    /// A fresh process like this one that gives back at once what it frees, so that its resident memory tells what is in
    /// use; nothing where this is no process.
    ///
    /// # Errors
    /// It cannot be started.
    fn keeping_nothing(&self) -> Result<Option<Box<dyn Executor>>> {
        Ok(None)
    }
}

/// Runs kernels in this process: for notebooks, where a kernel is a closure of the user's.
///
/// A kernel that hangs cannot be ended here; the timeout does not apply.
#[derive(Clone)]
pub struct InProcess(Rc<RefCell<Handler>>);

impl InProcess {
    /// An executor of what `host` offers; its clones share it.
    pub fn new(host: Host) -> Self {
        Self(Rc::new(RefCell::new(Handler::new(host))))
    }

    /// Adds workloads and implementations to what is offered.
    pub fn extend(&self, extend: impl FnOnce(&mut benchbook_core::Registry)) {
        self.0.borrow_mut().extend(extend);
    }
}

impl Executor for InProcess {
    fn request(&mut self, request: Request, _timeout: Duration) -> Result<Reply> {
        Ok(self.0.borrow_mut().handle(request))
    }

    fn isolation(&self) -> Isolation {
        Isolation::InProcess
    }

    fn pid(&self) -> Option<u32> {
        None
    }
}

/// Makes executors: a fresh process for each variant and replicate, or this one for all.
pub trait Spawn {
    /// A fresh executor for a variant: its pools have the variant's threads, it comes from the variant's build.
    ///
    /// # Errors
    /// [`crate::Error::Spawn`] when no worker can be started.
    fn spawn(&mut self, variant: &Variant) -> Result<Box<dyn Executor>>;
}

impl Spawn for InProcess {
    fn spawn(&mut self, _variant: &Variant) -> Result<Box<dyn Executor>> {
        Ok(Box::new(self.clone()))
    }
}
