//! Waiting for the engine from ordinary code, inside or outside another runtime.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::thread;

use benchbook_record::{caught, told_by_an_error};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};
use crate::memory::{LOOK, spent};

/// The threads of all sessions of the process: cells of a notebook open one after the other.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The threads of a session, the memory that one of its questions may take, and what ends a question.
#[derive(Debug, Clone)]
pub(crate) struct Threads {
    runtime: &'static Runtime,
    limit_bytes: u64,
    stop: Arc<AtomicBool>,
}

impl Threads {
    pub(crate) fn start(limit_bytes: u64) -> std::io::Result<Self> {
        let stop = Arc::default();
        if let Some(runtime) = RUNTIME.get() {
            return Ok(Self { runtime, limit_bytes, stop });
        }
        let made = Builder::new_multi_thread().enable_all().on_thread_start(|| _ = told_by_an_error(true)).build()?;
        // Where two threads come at once, the one that is late lets its own runtime go.
        if let Err(second) = RUNTIME.set(made) {
            second.shutdown_background();
        }
        match RUNTIME.get() {
            Some(runtime) => Ok(Self { runtime, limit_bytes, stop }),
            None => Err(std::io::Error::other("the runtime was not kept")),
        }
    }

    /// Memory that a question may take, in bytes.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Ends questions from now on while this flag is set.
    pub(crate) fn stop_at(&mut self, flag: &Arc<AtomicBool>) {
        self.stop = Arc::clone(flag);
    }

    /// Runs `future` to its end. A thread that already drives a runtime may not wait for another,
    /// so a helper thread does it there.
    ///
    /// # Errors
    /// [`Error::Memory`] where it takes more than it may, [`Error::Interrupted`] where it is ended from outside,
    /// [`Error::Panic`] where it panics.
    pub(crate) fn wait<F>(&self, future: F) -> Result<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let (runtime, limit_bytes) = (self.runtime, self.limit_bytes);
        let (spent, stopped) = (spent(limit_bytes), set(&self.stop));
        let watched = async move {
            let mut asked = pin!(future);
            let mut spent = pin!(spent);
            let mut stopped = pin!(stopped);
            poll_fn(|context| {
                if let Poll::Ready(output) = asked.as_mut().poll(context) {
                    Poll::Ready(Ok(output))
                } else if spent.as_mut().poll(context).is_ready() {
                    Poll::Ready(Err(Error::Memory { limit_bytes }))
                } else if stopped.as_mut().poll(context).is_ready() {
                    Poll::Ready(Err(Error::Interrupted))
                } else {
                    Poll::Pending
                }
            })
            .await
        };
        let run = || caught(|| runtime.block_on(watched));
        let outcome = if Handle::try_current().is_err() {
            run()
        } else {
            thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|panic| resume_unwind(panic)))
        };
        outcome.map_err(|message| Error::Panic { message })?
    }
}

/// Ends once the flag is set.
async fn set(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Duration;

    use super::*;

    fn threads() -> Threads {
        Threads::start(64 << 20).unwrap()
    }

    #[test]
    fn a_panic_is_an_error_wherever_it_happens() {
        let here = threads().wait(async { Vec::<u8>::new()[black_box(3)] });
        let on_a_thread = threads().wait(async {
            match tokio::spawn(async { Vec::<u8>::new()[black_box(4)] }).await {
                Ok(byte) => byte,
                Err(error) => resume_unwind(error.into_panic()),
            }
        });
        for (outcome, part) in [(here, "index is 3"), (on_a_thread, "index is 4")] {
            let error = outcome.unwrap_err();
            assert!(matches!(&error, Error::Panic { message } if message.contains(part)), "{error:?}");
        }
        assert_eq!(threads().wait(async { 7 }).unwrap(), 7, "the threads go on");
    }

    #[test]
    fn memory_that_no_pool_counts_is_seen() {
        let waited = threads().wait(async {
            let held = vec![1_u8; 256 << 20];
            tokio::time::sleep(Duration::from_secs(60)).await;
            black_box(held).len()
        });
        assert!(matches!(waited, Err(Error::Memory { limit_bytes: 67_108_864 })), "{waited:?}");
    }

    #[test]
    fn a_question_without_end_is_ended_from_outside() {
        let flag = Arc::new(AtomicBool::new(false));
        let mut threads = threads();
        threads.stop_at(&flag);
        let (begun, has_begun) = std::sync::mpsc::channel();
        let waited = thread::scope(|scope| {
            let asks = scope.spawn(|| {
                threads.wait(async move {
                    begun.send(()).unwrap();
                    std::future::pending::<()>().await;
                })
            });
            has_begun.recv().unwrap();
            flag.store(true, Ordering::Relaxed);
            asks.join().unwrap()
        });
        assert!(matches!(waited, Err(Error::Interrupted)), "{waited:?}");
        flag.store(false, Ordering::Relaxed);
        assert_eq!(threads.wait(async { 7 }).unwrap(), 7, "the threads go on");
    }
}
