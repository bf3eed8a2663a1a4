//! One evcxr for the whole life of the kernel, made beside it: rust-analyzer takes seconds to load.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use benchbook_front::{Error, Failure, Interrupter, Page, Result, Stream};
use crossbeam_channel::{Receiver, Select};
use evcxr::{CommandContext, EvalContext, EvalContextOutputs};

use crate::said;
use crate::snapshot;

/// How long standard error may still bring lines of a cell that has ended; it comes by another way than the end.
const LATE: Duration = Duration::from_millis(2);

/// What becomes of the session.
enum Phase {
    Starting,
    Ready,
    Failed(Failure),
}

struct Waiting {
    phase: Phase,
    interrupted: bool,
}

struct Shared {
    /// Held by whoever uses evcxr, for a whole cell too.
    context: Mutex<Option<CommandContext>>,
    /// Held for moments only.
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// The process of the cells; evcxr keeps the handle when it starts another one.
    process: OnceLock<Arc<Mutex<Child>>>,
    output: OnceLock<EvalContextOutputs>,
    /// The page of the cell that runs, or that ran last. Held while lines are taken, so that none is on its way when it
    /// is free.
    page: Mutex<Option<Page>>,
}

/// evcxr, shared by who runs cells, who completes them, and who interrupts them.
#[derive(Clone)]
pub(crate) struct Session(Arc<Shared>);

/// What a panic has left is still whole: each of these holds one value.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Begins to make it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start() -> Result<Self> {
        let session = Self(Arc::new(Shared {
            context: Mutex::new(None),
            waiting: Mutex::new(Waiting { phase: Phase::Starting, interrupted: false }),
            changed: Condvar::new(),
            process: OnceLock::new(),
            output: OnceLock::new(),
            page: Mutex::new(None),
        }));
        let own = session.clone();
        spawn("evcxr", move || own.make())?;
        Ok(session)
    }

    fn make(&self) {
        // A panic must not leave cells waiting for what never comes.
        let phase = match catch_unwind(AssertUnwindSafe(|| self.made())) {
            Ok(Ok(())) => Phase::Ready,
            Ok(Err(failure)) => Phase::Failed(failure),
            Err(_) => Phase::Failed(Failure::new("benchbook", "evcxr panicked as it was started; restart the kernel")),
        };
        held(&self.0.waiting).phase = phase;
        self.0.changed.notify_all();
    }

    fn made(&self) -> std::result::Result<(), Failure> {
        snapshot::hold().map_err(|refused| Failure::new("benchbook", refused))?;
        let failed = |error: &evcxr::Error| {
            let message = format!("evcxr could not be started: {error}; restart the kernel, or `cargo xtask lab` anew");
            Failure::new("benchbook", message)
        };
        let own = std::env::current_exe().map_err(|error| failed(&error.into()))?;
        let (context, outputs) = EvalContext::with_subprocess_command(Command::new(own)).map_err(|e| failed(&e))?;
        let streams = [(Stream::Stdout, outputs.stdout.clone()), (Stream::Stderr, outputs.stderr.clone())];
        // Before the first cell of the start-up files: evcxr waits until its lines are taken.
        for (stream, lines) in streams {
            let own = self.clone();
            spawn("output", move || own.pump(stream, &lines)).map_err(|e| Failure::new("benchbook", e.to_string()))?;
        }
        let mut context = CommandContext::with_eval_context(context);
        configure(&mut context)?;
        // Both are set here and nowhere else.
        let _ = (self.0.process.set(context.process_handle()), self.0.output.set(outputs));
        *held(&self.0.context) = Some(context);
        Ok(())
    }

    /// Hands the lines of a stream to the page of the cell that runs.
    fn pump(&self, stream: Stream, lines: &Receiver<String>) {
        let mut ready = Select::new();
        ready.recv(lines);
        loop {
            ready.ready();
            let page = held(&self.0.page);
            loop {
                match lines.try_recv() {
                    Ok(line) => print(page.as_ref(), stream, line),
                    Err(error) if error.is_empty() => break,
                    Err(_) => return,
                }
            }
        }
    }

    /// Waits until evcxr is there, and uses it.
    ///
    /// # Errors
    /// It could not be made, or somebody interrupts before it is there; else what `work` says.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut CommandContext) -> std::result::Result<T, Failure>,
    ) -> std::result::Result<T, Failure> {
        let mut waiting = held(&self.0.waiting);
        waiting.interrupted = false;
        let starting = |waiting: &mut Waiting| matches!(waiting.phase, Phase::Starting) && !waiting.interrupted;
        let waiting = self.0.changed.wait_while(waiting, starting).unwrap_or_else(PoisonError::into_inner);
        match &waiting.phase {
            Phase::Starting => {
                return Err(Failure::interrupted("interrupted while evcxr was being started; run the cell again"));
            }
            Phase::Failed(failure) => return Err(failure.clone()),
            Phase::Ready => {}
        }
        drop(waiting);
        match held(&self.0.context).as_mut() {
            Some(context) => work(context),
            None => Err(Failure::new("benchbook", "evcxr has gone; restart the kernel")),
        }
    }

    /// Uses evcxr if it is there and nobody else uses it at this moment.
    pub(crate) fn if_free<T>(&self, work: impl FnOnce(&mut CommandContext) -> Option<T>) -> Option<T> {
        let mut context = match self.0.context.try_lock() {
            Ok(context) => context,
            Err(std::sync::TryLockError::Poisoned(held)) => held.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        work(context.as_mut()?)
    }

    /// From now on what is printed belongs to this page.
    pub(crate) fn turn_to(&self, page: &Page) {
        *held(&self.0.page) = Some(page.clone());
    }

    /// Hands over what a cell that has ended has printed.
    pub(crate) fn settle(&self) {
        let Some(output) = self.0.output.get() else { return };
        let page = held(&self.0.page);
        output.stdout.try_iter().for_each(|line| print(page.as_ref(), Stream::Stdout, line));
        while let Ok(line) = output.stderr.recv_timeout(LATE) {
            print(page.as_ref(), Stream::Stderr, line);
        }
    }
}

fn print(page: Option<&Page>, stream: Stream, mut line: String) {
    line.push('\n');
    if let Some(page) = page {
        page.print(stream, &line);
    }
}

/// Runs evcxr's start-up files, by which cells find the library.
///
/// # Errors
/// They fail.
pub(crate) fn configure(context: &mut CommandContext) -> std::result::Result<(), Failure> {
    match context.execute(":load_config") {
        Ok(outputs) => said::value(outputs).map(drop),
        Err(error) => {
            let message =
                format!("the start-up files of evcxr fail: {error}; `benchbook kernel install` makes them anew");
            Err(Failure::new("benchbook", message))
        }
    }
}

fn spawn(what: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(what.into()).spawn(work);
    thread.map(drop).map_err(|source| Error::Thread { what, source })
}

impl Interrupter for Session {
    /// evcxr's own process of the cells never looks; what waits for evcxr does.
    fn interrupt(&self) {
        held(&self.0.waiting).interrupted = true;
        self.0.changed.notify_all();
    }

    fn end(&self) {
        // Where the handle is held, somebody waits for the end of the process already.
        if let Some(Ok(mut process)) = self.0.process.get().map(|process| process.try_lock()) {
            // It may have ended in the meantime.
            let _ = process.kill();
        }
    }
}
