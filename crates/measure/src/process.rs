//! A worker process as seen by its controller.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufReader, BufWriter};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver as Channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use benchbook_core::message::{Reply, Request};
use benchbook_record::Isolation;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::executor::Executor;
use crate::last_words::{last_words, next_line};
use crate::marked::Mark;
use crate::waiting::{Gone, wait};
use crate::wire::{Receiver, Sender};
use crate::{Error, Result, allocator, threads};

/// The variable that finds what a worker has started, also where that has left the worker's group.
const MARK: &str = "BENCHBOOK_WORKER_MARK";

/// How long a fresh worker may take to say hello: libtorch alone needs half a second.
const HELLO_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the end of a worker and its last words may come after its pipe is closed.
const PATIENCE: Duration = Duration::from_millis(300);

/// Lines of a worker's stderr that are kept for the message about its end: a backtrace follows the cause.
const KEPT_LINES: usize = 200;

/// A worker process; it is ended when this is dropped, and dies with its controller.
pub struct ProcessWorker {
    child: Child,
    mark: Mark,
    requests: mpsc::Sender<Request>,
    replies: Channel<Result<Reply>>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    /// Closed once all of stderr has been read.
    heard: Channel<()>,
    interrupted: Arc<AtomicBool>,
    hello: Hello,
    program: PathBuf,
    threads: usize,
    /// How it ended, once it has been waited for.
    ended: Option<ExitStatus>,
}

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

impl ProcessWorker {
    /// Starts `program` and waits for its greeting; once `interrupted` is set, no answer is waited for long.
    ///
    /// # Errors
    /// [`Error::Spawn`], [`Error::Protocol`], [`Error::NotAWorker`] when it does not greet, or [`Error::Interrupted`].
    pub fn spawn(program: &Path, threads: usize, interrupted: Arc<AtomicBool>) -> Result<Self> {
        // Settings of the user's own stand, and are recorded.
        let settings = std::env::var_os(allocator::VARIABLE).is_none().then_some(allocator::SETTINGS);
        Self::start(program, threads, interrupted, settings)
    }

    /// The same with settings of glibc's allocator.
    fn start(
        program: &Path,
        threads: usize,
        interrupted: Arc<AtomicBool>,
        allocator_settings: Option<&str>,
    ) -> Result<Self> {
        let parent = std::process::id().to_string();
        let arguments: [OsString; 5] =
            ["serve".into(), "--threads".into(), threads.to_string().into(), "--parent".into(), parent.into()];
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        threads::give(&mut command, threads);
        if let Some(settings) = allocator_settings {
            command.env(allocator::VARIABLE, settings);
        }
        let mark = Mark::new(MARK);
        mark.put_on(&mut command);
        // A group of its own, so that Ctrl-C reaches the controller alone, which then ends the run in order.
        command.process_group(0);
        let spawn_error = |source| Error::Spawn { program: program.to_owned(), source };
        let mut child = command.spawn().map_err(spawn_error)?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(spawn_error(std::io::Error::other("its pipes are missing")));
        };

        // Who does not read holds up a thread, and not whoever looks at the time and at Ctrl-C.
        let (requests, asked) = mpsc::channel::<Request>();
        std::thread::spawn(move || {
            let Ok(mut sender) = Sender::new(BufWriter::new(stdin)) else { return };
            while asked.recv().is_ok_and(|request| sender.send(&request).is_ok()) {}
        });
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let lines = Arc::clone(&kept);
        let (listening, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            while let Ok(Some(line)) = next_line(&mut stderr) {
                let mut lines = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if lines.len() == KEPT_LINES {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
            drop(listening);
        });
        // One that talks on and on waits until it is heard.
        let (send, replies) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut receiver = match Receiver::new(BufReader::new(stdout)) {
                Ok(receiver) => receiver,
                Err(error) => return drop(send.send(Err(error))),
            };
            while let Some(reply) = receiver.receive().transpose() {
                let broken = reply.is_err();
                if send.send(reply).is_err() || broken {
                    return;
                }
            }
        });

        let hello = Hello { version: String::new(), profile: String::new(), debug_assertions: false };
        let mut worker = Self {
            child,
            mark,
            requests,
            replies,
            stderr: kept,
            heard,
            interrupted,
            hello,
            program: program.to_owned(),
            threads,
            ended: None,
        };
        match worker.receive(HELLO_TIMEOUT).map_err(|error| no_worker(program, error))? {
            Reply::Hello { version, profile, debug_assertions, .. } => {
                worker.hello = Hello { version, profile, debug_assertions };
                Ok(worker)
            }
            other => Err(worker.lost(&format!("it greeted with {other:?}"), false)),
        }
    }

    /// What the worker said of its build.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    fn receive(&mut self, timeout: Duration) -> Result<Reply> {
        match wait(&self.replies, timeout, &self.interrupted) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error @ Error::Protocol { .. })) => Err(error),
            Ok(Err(error)) => Err(self.lost(&error.to_string(), false)),
            Err(Gone::Interrupted) => {
                self.end();
                Err(Error::Interrupted)
            }
            Err(Gone::Late) => {
                Err(self.lost(&format!("no answer for {:.1} s, so it was ended", timeout.as_secs_f64()), true))
            }
            Err(Gone::Closed) => Err(self.lost("it ended", false)),
        }
    }

    /// Ends the worker and says what is known of why; `hung` if it lived and did not answer.
    fn lost(&mut self, what: &str, hung: bool) -> Error {
        let mut reason = what.to_owned();
        let by_itself = self.ends_within(if hung { Duration::ZERO } else { PATIENCE });
        if let Some(status) = self.end().filter(|_| by_itself) {
            match status.signal() {
                Some(9) => reason += " by signal 9 (someone ended it, perhaps the system for lack of memory)",
                Some(signal) => reason += &format!(" by signal {signal}"),
                None => reason += &format!(" with {status}"),
            }
        }
        // Whoever has left the group and cleared its environment may keep it open for ever.
        let _ = self.heard.recv_timeout(PATIENCE);
        let lines = self.stderr.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(words) = last_words(lines.iter().map(String::as_str)) {
            reason += &format!("; its last words: {words}");
        }
        Error::WorkerLost { worker: format!("pid {}", self.child.id()), reason, hung }
    }

    /// Number of the process, which is that of its group too.
    fn number(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Whether the worker ends by itself within `patience`; a closed pipe may be seen a little before the end.
    fn ends_within(&self, patience: Duration) -> bool {
        // It stays to be waited for: until then nobody else can get its number.
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let pause = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while matches!(waitid(Id::Pid(self.number()), look), Ok(WaitStatus::StillAlive)) {
            if waited >= patience {
                return false;
            }
            std::thread::sleep(pause);
            waited += pause;
        }
        true
    }

    /// Ends the worker with all that it has started, and waits for it; how it ended.
    fn end(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            let _ = killpg(self.number(), Signal::SIGKILL);
            self.ended = self.child.wait().ok();
            // What has left the group; one that this user may not end stays.
            self.mark.end_all();
        }
        self.ended
    }
}

/// A program that ends or talks before it greets is most likely something else.
fn no_worker(program: &Path, error: Error) -> Error {
    match error {
        Error::WorkerLost { reason, .. } => Error::NotAWorker { program: program.to_owned(), reason },
        other => other,
    }
}

impl Executor for ProcessWorker {
    fn request(&mut self, request: Request, timeout: Duration) -> Result<Reply> {
        if let Ok(early) = self.replies.try_recv() {
            let what = early.map_or_else(|error| error.to_string(), |_| "it spoke without being asked".into());
            return Err(self.lost(&what, false));
        }
        match self.requests.send(request) {
            Ok(()) => self.receive(timeout),
            // The thread has found the pipe closed.
            Err(_) => Err(self.lost("it ended", false)),
        }
    }

    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    fn pid(&self) -> Option<u32> {
        Some(self.child.id())
    }

    fn keeping_nothing(&self) -> Result<Option<Box<dyn Executor>>> {
        let settings = Some(allocator::KEEPING_NOTHING);
        Ok(Some(Box::new(Self::start(&self.program, self.threads, Arc::clone(&self.interrupted), settings)?)))
    }
}

impl Drop for ProcessWorker {
    fn drop(&mut self) {
        // It holds nothing worth saving: what it measured has been sent.
        self.end();
    }
}
