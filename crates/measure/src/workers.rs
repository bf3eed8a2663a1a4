//! Workers, as a run needs them: one to ask, and fresh ones to measure.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::Variant;
use benchbook_core::message::Description;

use crate::Result;
use crate::executor::Executor;
use crate::process::{Hello, ProcessWorker, worker_program};
use crate::run::describe;

/// The worker program, what it offers, and one live worker to ask further.
pub struct Offer {
    /// Where the program lies.
    pub program: PathBuf,
    /// What it says of its build.
    pub hello: Hello,
    /// What it offers.
    pub known: Description,
    /// A worker to ask.
    pub asked: ProcessWorker,
}

/// Starts a worker and asks what it offers; once `interrupted` is set, it is not waited for long.
///
/// # Errors
/// There is no worker program, or it does not answer.
pub fn offer(threads: usize, interrupted: &Arc<AtomicBool>) -> Result<Offer> {
    offer_of(worker_program()?, threads, interrupted)
}

/// Starts a worker of this program and asks what it offers; once `interrupted` is set, it is not waited for long.
///
/// # Errors
/// It cannot be started, is no worker, or speaks another version of the protocol.
pub fn offer_of(program: PathBuf, threads: usize, interrupted: &Arc<AtomicBool>) -> Result<Offer> {
    let mut asked = ProcessWorker::spawn(&program, threads, Arc::clone(interrupted))?;
    let known = describe(&mut asked)?;
    Ok(Offer { program, hello: asked.hello().clone(), known, asked })
}

/// A function that starts fresh workers of `program`.
///
/// Once `interrupted` is set, nobody waits long for a worker any more.
pub fn spawner(program: PathBuf, interrupted: Arc<AtomicBool>) -> impl FnMut(&Variant) -> Result<Box<dyn Executor>> {
    move |variant| Ok(Box::new(ProcessWorker::spawn(&program, variant.threads, Arc::clone(&interrupted))?))
}

/// Threads when nobody names a number: every core this process may use.
pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
