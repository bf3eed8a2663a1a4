//! This process as a worker, for kernels that are a notebook's own closures.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use benchbook_core::message::{Ask, Say};
use benchbook_core::{Array, Registry};
use benchbook_journal::Isolation;

use crate::Result;
use crate::disturbance::Load;
use crate::driver::Driver;
use crate::frame::Arrays;
use crate::host::{Host, Worker};
use crate::link::{Caller, Link};
use crate::references::Shared;

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
