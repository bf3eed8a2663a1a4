//! One evcxr for the whole life of the kernel, made beside it: rust-analyzer takes seconds to load.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use benchbook_front::{Error, Failure, Interrupter, Result};
use evcxr::{CommandContext, EvalContext};
use tempfile::TempDir;

use crate::cells::Cells;
use crate::inlet::Inlet;
use crate::snapshot::Snapshot;
use crate::{bridge, forms};

/// The name of the socket in its folder.
const SOCKET: &str = "cells";

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
    cells: Cells,
    /// Where their socket lies, for this user alone.
    _folder: TempDir,
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
    /// The system gives no thread, no socket, or no temporary folder.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()
            .map_err(|error| Error::Lost(format!("there is no temporary folder for that of the cells: {error}")))?;
        let cells = Cells::new(&folder.path().join(SOCKET))?;
        let session = Self(Arc::new(Shared {
            context: Mutex::new(None),
            waiting: Mutex::new(Waiting { phase: Phase::Starting, interrupted: false }),
            changed: Condvar::new(),
            cells,
            _folder: folder,
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
        self.cells_there()?;
        let failed = |error: &evcxr::Error| {
            let message = format!("evcxr could not be started: {error}; restart the kernel, or `cargo xtask lab` anew");
            Failure::new("benchbook", message)
        };
        let own = std::env::current_exe().map_err(|error| failed(&error.into()))?;
        let mut cells = Command::new(own);
        cells.env(bridge::SOCKET, self.0.cells.socket());
        let (context, outputs) = EvalContext::with_subprocess_command(cells).map_err(|error| failed(&error))?;
        // What the cells print does not come this way. evcxr waits until its own lines are taken; the process between it
        // and the cells has last words for the log, should it fail.
        let waits = spawn("lines", move || outputs.stdout.iter().for_each(drop));
        let tells = spawn("log", move || outputs.stderr.iter().for_each(|line| eprintln!("{line}")));
        waits.and(tells).map_err(|error| Failure::new("benchbook", error.to_string()))?;
        let mut context = CommandContext::with_eval_context(context);
        configure(&mut context)?;
        // A failure of the start-up files is one of the kernel.
        self.inlet().kept()?;
        *held(&self.0.context) = Some(context);
        Ok(())
    }

    /// Starts the process of the cells, and looks meanwhile whether it may be used.
    fn cells_there(&self) -> std::result::Result<(), Failure> {
        let refused = |said| Failure::new("benchbook", said);
        let looked_at = Snapshot::hold().map_err(refused).and_then(|snapshot| {
            let program = snapshot.cells();
            // Whoever asks it first tells of a failure.
            let _ = self.0.cells.start(&program);
            snapshot.check().map(|()| program).map_err(refused)
        });
        self.0.cells.check(looked_at.clone());
        looked_at.map(drop)
    }

    /// The process of the cells, which is there before evcxr is.
    pub(crate) fn cells(&self) -> &Cells {
        &self.0.cells
    }

    /// What the cells of evcxr print and show.
    pub(crate) fn inlet(&self) -> &Inlet {
        self.0.cells.inlet()
    }

    /// Whether evcxr is there, or known never to be.
    pub(crate) fn has_started(&self) -> bool {
        !matches!(held(&self.0.waiting).phase, Phase::Starting)
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
}

/// Runs evcxr's start-up files, by which cells find the library.
///
/// # Errors
/// They fail.
pub(crate) fn configure(context: &mut CommandContext) -> std::result::Result<(), Failure> {
    match context.execute(":load_config") {
        Ok(outputs) => forms::value(outputs).map(drop),
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
    /// What waits for evcxr stops, and so does a cell that looks.
    fn interrupt(&self) {
        held(&self.0.waiting).interrupted = true;
        self.0.changed.notify_all();
        self.0.cells.interrupt();
    }

    fn end(&self) {
        self.0.cells.end();
    }
}
