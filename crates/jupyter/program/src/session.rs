//! One evcxr for the whole life of the kernel, made beside it: rust-analyzer takes seconds to load.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

use benchbook_front::{Error, Failure, Interrupter, Result};
use benchbook_process::Mark;
use evcxr::{CommandContext, EvalContext};
use tempfile::TempDir;

use crate::analysis::{Analysis, Answer, Question};
use crate::cells::Cells;
use crate::inlet::Inlet;
use crate::snapshot::Snapshot;
use crate::{bridge, forms};

/// The name of the socket in its folder.
const SOCKET: &str = "cells";
/// The variable that finds cargo and what it has started for a cell.
const COMPILER: &str = "BENCHBOOK_COMPILER_MARK";

/// What becomes of the session.
enum Phase {
    Starting,
    Ready,
    Failed(Failure),
}

struct Waiting {
    phase: Phase,
    /// The cell of the notebook that has begun last, and the one that was interrupted last.
    cell: u64,
    interrupted: u64,
    /// Whether that cell runs.
    runs: bool,
    /// That the process of the cells has ended, where no cell was told of it.
    lost: Option<Failure>,
    /// Whether the kernel ends.
    ends: bool,
}

impl Waiting {
    fn is_interrupted(&self) -> bool {
        self.ends || (self.cell != 0 && self.interrupted == self.cell)
    }
}

struct Shared {
    /// Held by whoever uses evcxr, for a whole cell too.
    context: Mutex<Option<CommandContext>>,
    /// Held while evcxr is asked something between two cells, for which the next one waits.
    between: Mutex<()>,
    /// Held for moments only.
    waiting: Mutex<Waiting>,
    changed: Condvar,
    cells: Cells,
    snapshot: OnceLock<Snapshot>,
    analysis: Analysis,
    compiler: Mark,
    /// Those who end the compiler, which takes them a while.
    enders: Mutex<Vec<JoinHandle<()>>>,
    /// Where their socket lies, and what evcxr compiles, for this user alone.
    folder: TempDir,
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
        // Those that evcxr makes go with this one. Where somebody has chosen another before, they go by themselves.
        let _ = tempfile::env::override_temp_dir(folder.path());
        let session = Self::within(folder)?;
        let own = session.clone();
        spawn("evcxr", move || own.make())?;
        Ok(session)
    }

    /// One without evcxr.
    fn within(folder: TempDir) -> Result<Self> {
        let cells = Cells::new(&folder.path().join(SOCKET))?;
        Ok(Self(Arc::new(Shared {
            context: Mutex::new(None),
            between: Mutex::default(),
            waiting: Mutex::new(Waiting {
                phase: Phase::Starting,
                cell: 0,
                interrupted: 0,
                runs: false,
                lost: None,
                ends: false,
            }),
            changed: Condvar::new(),
            cells,
            snapshot: OnceLock::new(),
            analysis: Analysis::default(),
            compiler: Mark::new(COMPILER),
            enders: Mutex::default(),
            folder,
        })))
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
        self.configure(&mut context)?;
        // A failure of the start-up files is one of the kernel.
        self.inlet().kept()?;
        *held(&self.0.context) = Some(context);
        Ok(())
    }

    /// Starts the process of the cells, and looks meanwhile whether it may be used.
    fn cells_there(&self) -> std::result::Result<(), Failure> {
        let refused = |said| Failure::new("benchbook", said);
        let looked_at = Snapshot::hold().map_err(refused).and_then(|snapshot| {
            let (program, snapshot) = (snapshot.cells(), self.0.snapshot.get_or_init(|| snapshot));
            // Whoever asks it first tells of a failure.
            let _ = self.0.cells.start(&program);
            snapshot.check().map(|()| program).map_err(refused)
        });
        self.0.cells.check(looked_at.clone());
        looked_at.map(drop)
    }

    /// Runs evcxr's start-up files, by which cells find the library.
    ///
    /// # Errors
    /// They fail.
    pub(crate) fn configure(&self, context: &mut CommandContext) -> std::result::Result<(), Failure> {
        // An interrupt ends the compiler of a cell, but not of these, without which no later cell would compile.
        let (unmarked, marked) = (format!("{COMPILER}=none"), self.0.compiler.entry());
        for command in [format!(":build_env {unmarked}"), ":load_config --quiet".into(), format!(":build_env {marked}")]
        {
            context.execute(&command).map_err(|error| {
                let remedy = "`benchbook kernel install` makes them anew";
                Failure::new("benchbook", format!("the start-up files of evcxr fail: {error}; {remedy}"))
            })?;
        }
        Ok(())
    }

    /// A cell of the notebook begins.
    pub(crate) fn begin(&self, cell: u64) {
        // Who ends the compiler of the cell before must not meet that of this one.
        let enders = std::mem::take(&mut *held(&self.0.enders));
        for ender in enders {
            // One that has panicked has ended, too.
            let _ = ender.join();
        }
        {
            let mut waiting = held(&self.0.waiting);
            (waiting.cell, waiting.runs) = (cell, true);
        }
        // No cell runs beside a compiler that is not its own.
        drop(held(&self.0.between));
        self.0.analysis.sleep();
        self.0.cells.begin(cell);
    }

    /// It has ended.
    pub(crate) fn ended(&self) {
        held(&self.0.waiting).runs = false;
        self.0.analysis.wake();
    }

    /// The number of the cell that has begun last.
    pub(crate) fn cell(&self) -> u64 {
        held(&self.0.waiting).cell
    }

    /// What is known of a cell by the sources of the library, at once and while no cell runs.
    pub(crate) fn analyse(&self, question: Question) -> Option<Answer> {
        self.0.analysis.ask(self.0.snapshot.get()?.project(), question)
    }

    /// Whether the cell that has begun last was interrupted.
    pub(crate) fn is_interrupted(&self) -> bool {
        held(&self.0.waiting).is_interrupted()
    }

    /// Why no cell compiles any more, if that is so.
    pub(crate) fn library_is_gone(&self) -> Option<String> {
        self.0.snapshot.get().and_then(Snapshot::is_gone)
    }

    /// Whether the kernel ends.
    pub(crate) fn ends(&self) -> bool {
        held(&self.0.waiting).ends
    }

    /// Ends everything that the kernel has started, and leaves no file behind.
    pub(crate) fn finish(&self) {
        held(&self.0.waiting).ends = true;
        self.0.changed.notify_all();
        self.0.analysis.finish();
        self.0.cells.finish();
        self.0.compiler.end_all();
        // A thread that is in the middle of a cell may still write there; what it leaves is little.
        let _ = std::fs::remove_dir_all(self.0.folder.path());
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
        let starting = |waiting: &mut Waiting| matches!(waiting.phase, Phase::Starting) && !waiting.is_interrupted();
        let waiting = held(&self.0.waiting);
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

    /// Asks evcxr something of its variables, where it has any and no cell runs.
    pub(crate) fn between_cells<T>(
        &self,
        work: impl FnOnce(&mut CommandContext) -> std::result::Result<T, Failure>,
    ) -> Option<T> {
        let _between = held(&self.0.between);
        // Of a process that has ended the next cell is told, with the variables that went with it.
        if held(&self.0.waiting).runs || !self.0.cells.has_variables() {
            return None;
        }
        match self.if_free(|context| Some(work(context)))? {
            Ok(found) => Some(found),
            Err(failure) => {
                if failure.name == forms::ENDED {
                    held(&self.0.waiting).lost = Some(failure);
                }
                None
            }
        }
    }

    /// That the process of the cells has ended between two cells, said once.
    pub(crate) fn lost(&self) -> Option<Failure> {
        held(&self.0.waiting).lost.take()
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

fn spawn(what: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = Builder::new().name(what.into()).spawn(work);
    thread.map(drop).map_err(|source| Error::Thread { what, source })
}

impl Interrupter for Session {
    /// What waits for evcxr or for the compiler stops, and so does a cell that looks.
    fn interrupt(&self, cell: u64) {
        held(&self.0.waiting).interrupted = cell;
        self.0.changed.notify_all();
        self.0.cells.interrupt(cell);
        let compiler = self.0.compiler.clone();
        // Where there is no thread, the cell is compiled to its end.
        let ender = Builder::new().name("end of the compiler".into()).spawn(move || drop(compiler.end_all()));
        held(&self.0.enders).extend(ender);
    }

    fn end(&self) {
        self.0.cells.end();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Child;

    use super::*;

    /// What takes this many seconds, and is taken for the compiler of a cell.
    fn compiler(session: &Session, seconds: &str) -> Child {
        let mark = session.0.compiler.entry();
        let (name, value) = mark.split_once('=').unwrap();
        Command::new("sleep").arg(seconds).env(name, value).spawn().unwrap()
    }

    #[test]
    fn an_interrupt_ends_the_compiler_of_its_cell_and_of_no_later_one() {
        let session = Session::within(tempfile::tempdir().unwrap()).unwrap();
        session.begin(1);
        let mut interrupted = compiler(&session, "600");
        session.interrupt(1);
        session.begin(2);
        let mut next = compiler(&session, "0.5");
        assert!(!interrupted.wait().unwrap().success());
        assert!(next.wait().unwrap().success(), "it ended by itself");
        session.finish();
    }
}
