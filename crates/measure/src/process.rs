//! Worker processes, whichever protocol they speak.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use benchbook_core::message::{Ask, Description, PROTOCOL, Say};
use benchbook_core::{Array, Params};
use benchbook_journal::Isolation;
use serde::Serialize;

use crate::driver::Driver;
use crate::executor::{Cases, Executor, Offers};
use crate::frame::{self, Arrays, Frame};
use crate::link::{Caller, Link, Starting};
use crate::old::OldWorker;
use crate::parcel::Parcel;
use crate::references::Shared;
use crate::supervised::{Launch, Process, Said};
use crate::waiting::Interruption;
use crate::{Error, Result, steps};

/// Bytes of arrays that an answer may bring where nobody has said how many are right.
const UNTOLD_BYTES: u64 = 1 << 30;

/// What a worker says of its build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Version of the worker's crate.
    pub version: String,
    /// Build profile of the kernels.
    pub profile: String,
    /// Whether debug assertions are compiled in.
    pub debug_assertions: bool,
}

impl Hello {
    /// What a worker of this very build would say.
    pub fn of_this_process() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.into(),
            debug_assertions: cfg!(debug_assertions),
        }
    }
}

/// Where the worker program lies: `BENCHBOOK_WORKER`, or beside this program.
///
/// # Errors
/// [`Error::NoWorker`] with the place where it was looked for.
pub fn worker_program() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("BENCHBOOK_WORKER").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return if named.is_file() { Ok(named) } else { Err(Error::NoWorker(named)) };
    }
    let here = std::env::current_exe().map_err(|source| Error::Io { what: "the path of this program", source })?;
    let folder = here.parent().unwrap_or(Path::new("."));
    // Test programs lie one folder below the programs they drive.
    let places = [folder.join("benchbook-worker"), folder.join("../benchbook-worker")];
    places.iter().find(|place| place.is_file()).cloned().ok_or_else(|| Error::NoWorker(places[0].clone()))
}

/// A worker process that has yet to greet: several start side by side.
pub(crate) struct Fresh {
    process: Process,
    words: Vec<OsString>,
}

impl Fresh {
    /// Starts a worker; once the run is interrupted, no answer is waited for long.
    ///
    /// # Errors
    /// [`Error::Spawn`].
    pub fn start(launch: Launch, interruption: &Interruption) -> Result<Self> {
        let words = launch.words.clone();
        Ok(Self { process: Process::start(launch, interruption)?, words })
    }

    /// The worker, once it has greeted.
    ///
    /// # Errors
    /// [`Error::Protocol`], [`Error::NotAWorker`] when it does not greet, or [`Error::Interrupted`].
    pub fn worker(self) -> Result<ProcessWorker> {
        let Self { mut process, words } = self;
        let greeted = process.greeting().and_then(|said| match said {
            Said::Frame(frame) => {
                Pipe::greeted(process, frame).map(|(pipe, hello)| (Speaks::Frames(Box::new(pipe)), hello))
            }
            Said::Old(reply) => {
                OldWorker::greeted(process, reply).map(|(old, hello)| (Speaks::Old(Box::new(old)), hello))
            }
        });
        let (speaks, hello) = greeted.map_err(|error| no_worker(&words, error))?;
        Ok(ProcessWorker { hello, speaks })
    }

    /// The way to it, once it has greeted; one that speaks protocol 2 is refused.
    ///
    /// # Errors
    /// As of [`Fresh::worker`].
    pub fn pipe(self) -> Result<Pipe> {
        let Self { process, words } = self;
        Pipe::greet(process).map_err(|error| no_worker(&words, error))
    }
}

/// A worker process that has greeted; it is ended when this is dropped, and dies with its controller.
pub struct ProcessWorker {
    hello: Hello,
    speaks: Speaks,
}

enum Speaks {
    /// Frames.
    Frames(Box<Pipe>),
    /// Protocol 2.
    Old(Box<OldWorker>),
}

impl ProcessWorker {
    /// Starts `program`, which finds the shared libraries in a folder before all others, and waits for its greeting; once
    /// `interrupted` is set, no answer is waited for long.
    ///
    /// # Errors
    /// [`Error::Spawn`], [`Error::Protocol`], [`Error::NotAWorker`] when it does not greet, or [`Error::Interrupted`].
    pub fn spawn(
        program: &Path,
        threads: usize,
        libraries: Option<&Path>,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let words = vec![program.as_os_str().to_owned()];
        let launch = Launch { words, threads, libraries: libraries.map(Path::to_owned) };
        Fresh::start(launch, &Interruption::of(interrupted))?.worker()
    }

    /// What the worker said of its build.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Measures by this worker, checked against these answers: one of protocol 2 has its own.
    pub fn executor(self, references: &Shared) -> Box<dyn Executor> {
        match self.speaks {
            Speaks::Frames(pipe) => Box::new(Driver::new(pipe, references)),
            Speaks::Old(old) => Box::new(old.beside(references)),
        }
    }

    fn offers(&mut self) -> &mut dyn Offers {
        match &mut self.speaks {
            Speaks::Frames(pipe) => pipe.as_mut(),
            Speaks::Old(old) => old.as_mut(),
        }
    }
}

impl Offers for ProcessWorker {
    fn describe(&mut self) -> Result<Description> {
        self.offers().describe()
    }

    fn resolve(&mut self, workload: &str, preset: Option<&str>, combinations: &[Params]) -> Result<Cases> {
        self.offers().resolve(workload, preset, combinations)
    }
}

/// A program that ends or talks before it greets is most likely something else.
fn no_worker(words: &[OsString], error: Error) -> Error {
    match error {
        Error::WorkerLost { reason, .. } => Error::NotAWorker { program: words.join(OsStr::new(" ")).into(), reason },
        other => other,
    }
}

/// The way to a worker that speaks in frames.
pub struct Pipe {
    process: Process,
    /// Where it computes: in this process, or in one that it has started.
    id: u32,
    /// Bytes of arrays that an answer may bring which has any.
    most_bytes: u64,
}

impl Pipe {
    fn greet(mut process: Process) -> Result<Self> {
        match process.greeting()? {
            Said::Frame(frame) => Self::greeted(process, frame).map(|(pipe, _)| pipe),
            Said::Old(_) => Err(Error::Protocol { worker: crate::old::PROTOCOL, ours: PROTOCOL }),
        }
    }

    /// A worker whose first words are these.
    fn greeted(mut process: Process, frame: Frame) -> Result<(Self, Hello)> {
        // Before all else, which may be another in another version.
        let protocol = frame.header.get("protocol").and_then(serde_json::Value::as_u64);
        if let Some(protocol) = protocol.filter(|protocol| *protocol != u64::from(PROTOCOL)) {
            let worker = u32::try_from(protocol).unwrap_or(u32::MAX);
            return Err(Error::Protocol { worker, ours: PROTOCOL });
        }
        match frame.message::<Say>().map(|(say, _)| say) {
            Ok(Say::Hello { version, pid, profile, debug_assertions, .. }) => {
                let id = if process.has_started(pid) { pid } else { process.id() };
                Ok((Self { process, id, most_bytes: UNTOLD_BYTES }, Hello { version, profile, debug_assertions }))
            }
            Ok(other) => Err(process.lost(&format!("it greeted with {other:?}"), false)),
            Err(error) => Err(process.lost(&error.to_string(), false)),
        }
    }

    /// Says anything, with arrays in the frame or in a file, and waits for the answer.
    ///
    /// # Errors
    /// As of [`Link::ask`].
    pub(crate) fn exchange(
        &mut self,
        message: &impl Serialize,
        arrays: &[(&str, &Array)],
        in_body: bool,
        timeout: Duration,
    ) -> Result<(Say, Arrays)> {
        let packed = if in_body { None } else { Some(Parcel::pack(arrays)) };
        let parcel =
            packed.transpose().map_err(|error| Error::Failed(format!("its inputs cannot be sent: {error}")))?;
        let mut bytes = Vec::new();
        let written = frame::write(&mut bytes, message, arrays, parcel.as_ref().map(Parcel::path));
        written.map_err(|error| Error::Failed(error.to_string()))?;
        self.process.send(bytes)?;
        match self.process.receive(timeout)? {
            Said::Frame(frame) => frame.message().map_err(|error| self.process.lost(&error.to_string(), false)),
            Said::Old(_) => Err(self.process.lost("it changed its protocol", false)),
        }
    }

    /// Leaves the worker to itself; whether it ends within `patience`.
    pub(crate) fn ends_alone(mut self, patience: Duration) -> bool {
        self.process.hang_up(patience)
    }
}

impl Link for Pipe {
    fn ask(&mut self, ask: &Ask, arrays: &[(&str, &Array)], timeout: Duration) -> Result<(Say, Arrays)> {
        self.process.expect(match ask {
            Ask::Prepare(_) | Ask::Finish { .. } | Ask::Reference { .. } | Ask::Approximation { .. } => self.most_bytes,
            Ask::Run { steps: Some(most), .. } => steps::most_bytes(*most),
            _ => 0,
        });
        // A row travels with the question. Inputs may be large, and lie where a worker can map them.
        self.exchange(ask, arrays, arrays.is_empty() || matches!(ask, Ask::Run { .. }), timeout)
    }

    fn expect(&mut self, most_bytes: u64) {
        self.most_bytes = most_bytes;
    }

    fn caller(&self) -> Caller {
        Caller { process: self.id, thread: self.id }
    }

    fn has_started(&self, process: u32) -> bool {
        self.process.has_started(process)
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn let_go(&mut self) {
        self.process.let_go();
    }

    fn keeping_nothing(&self) -> Result<Option<Starting>> {
        let process = self.process.keeping_nothing()?;
        let greeted = move || -> Result<Box<dyn Link>> { Ok(Box::new(Self::greet(process)?)) };
        Ok(Some(Box::new(greeted)))
    }
}
