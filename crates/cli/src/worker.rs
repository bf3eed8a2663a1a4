//! Workers, as the commands need them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use benchbook_core::message::Description;
use benchbook_measure::run::describe;
use benchbook_measure::{Executor, Hello, ProcessWorker, worker_program};

use crate::error::Failure;

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

/// Starts a worker and asks what it offers.
pub fn offer(threads: usize) -> Result<Offer, Failure> {
    let program = worker_program()?;
    let mut asked = ProcessWorker::spawn(&program, threads, Arc::default())?;
    let known = describe(&mut asked)?;
    Ok(Offer { program, hello: asked.hello().clone(), known, asked })
}

/// A function that starts fresh workers of `program`.
///
/// Once `interrupted` is set, nobody waits long for a worker any more.
pub fn spawner(
    program: PathBuf,
    interrupted: Arc<AtomicBool>,
) -> impl FnMut(usize) -> benchbook_measure::Result<Box<dyn Executor>> {
    move |threads| Ok(Box::new(ProcessWorker::spawn(&program, threads, Arc::clone(&interrupted))?))
}

/// Threads when nobody names a number: every core this process may use.
pub fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
