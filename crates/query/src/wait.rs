//! Waiting for the engine from ordinary code, inside or outside another runtime.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// The threads of all sessions of the process: cells of a notebook open one after the other.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The threads of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threads(&'static Runtime);

impl Threads {
    pub(crate) fn start() -> std::io::Result<Self> {
        if let Some(runtime) = RUNTIME.get() {
            return Ok(Self(runtime));
        }
        let made = Builder::new_multi_thread().enable_all().build()?;
        // Where two threads come at once, the one that is late lets its own runtime go.
        if let Err(second) = RUNTIME.set(made) {
            second.shutdown_background();
        }
        match RUNTIME.get() {
            Some(runtime) => Ok(Self(runtime)),
            None => Err(std::io::Error::other("the runtime was not kept")),
        }
    }

    /// Runs `future` to its end. A thread that already drives a runtime may not wait for another,
    /// so a helper thread does it there.
    pub(crate) fn wait<F>(&self, future: F) -> F::Output
    where
        F: Future + Send,
        F::Output: Send,
    {
        let runtime = self.0;
        if Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        thread::scope(|scope| match scope.spawn(|| runtime.block_on(future)).join() {
            Ok(output) => output,
            Err(panic) => resume_unwind(panic),
        })
    }
}
