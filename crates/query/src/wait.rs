//! Waiting for the engine from ordinary code, inside or outside another runtime.

use std::future::Future;
use std::panic::resume_unwind;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// The threads of a session.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    pub(crate) fn start() -> std::io::Result<Self> {
        Ok(Self(Some(Builder::new_multi_thread().enable_all().build()?)))
    }

    /// Runs `future` to its end. A thread that already drives a runtime may not wait for another,
    /// so a helper thread does it there.
    pub(crate) fn wait<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        let Some(runtime) = &self.0 else {
            unreachable!("the runtime is taken only when the session is dropped");
        };
        if Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        thread::scope(|scope| match scope.spawn(|| runtime.block_on(future)).join() {
            Ok(output) => output,
            Err(panic) => resume_unwind(panic),
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Dropping a runtime inside another one panics; shutting it down does not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
