//! A worker process: what is asked of it, what it says, and why it is lost.

use std::ffi::OsString;
use std::io::{BufReader, BufWriter, Cursor, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use benchbook_process::{LastWords, Mark, Supervised, last_words};

use crate::frame::{Frame, Reader};
use crate::waiting::{Deadline, Gone, Interruption, wait};
use crate::{Error, Result, allocator, old, worker_env};

/// The variable that finds what a worker has started, also where that has left the worker's group.
const MARK: &str = "BENCHBOOK_WORKER_MARK";

/// How long a fresh worker may take to say hello: libtorch alone needs half a second.
const HELLO_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the end of a worker and its last words may come after its pipe is closed.
const PATIENCE: Duration = Duration::from_millis(300);

/// Lines of a worker's stderr that are kept for the message about its end: a backtrace follows the cause.
const KEPT_LINES: usize = 200;

/// What a worker says.
#[derive(Debug)]
pub(crate) enum Said {
    /// A frame.
    Frame(Frame),
    /// A message of protocol 2.
    Old(old::Reply),
}

/// Which worker is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// The program and what stands before the words of its controller.
    pub words: Vec<OsString>,
    /// Threads of each of its pools.
    pub threads: usize,
    /// A folder of shared libraries that it finds before all others.
    pub libraries: Option<PathBuf>,
}

/// A worker process; it is ended when this is dropped, and dies with its controller.
pub(crate) struct Process {
    /// Closed before the child is waited for: one that this user may not end can then end by itself.
    asked: mpsc::Sender<Vec<u8>>,
    child: Supervised,
    said: Receiver<Result<Said>>,
    /// Bytes of arrays that its next frame may bring.
    most_bytes: Arc<AtomicU64>,
    /// Whether it has said something already.
    has_spoken: bool,
    stderr: LastWords,
    interruption: Interruption,
    /// When it has to have greeted: those that start side by side wait side by side.
    hello: Deadline,
    launch: Launch,
}

impl Process {
    /// Starts a worker; once the run is interrupted, nothing that it says is waited for long.
    ///
    /// # Errors
    /// [`Error::Spawn`].
    pub fn start(launch: Launch, interruption: &Interruption) -> Result<Self> {
        // Settings of the user's own stand, and are recorded.
        let settings = std::env::var_os(allocator::VARIABLE).is_none().then_some(allocator::SETTINGS);
        Self::start_with(launch, interruption.clone(), settings)
    }

    /// A fresh process of the same program that keeps nothing of what it frees.
    ///
    /// # Errors
    /// [`Error::Spawn`].
    pub fn keeping_nothing(&self) -> Result<Self> {
        Self::start_with(self.launch.clone(), self.interruption.clone(), Some(allocator::KEEPING_NOTHING))
    }

    fn start_with(launch: Launch, interruption: Interruption, allocator_settings: Option<&str>) -> Result<Self> {
        let Launch { words, threads, libraries } = &launch;
        let program = words.first().map(PathBuf::from).unwrap_or_default();
        let mut command = Command::new(&program);
        command.args(words.iter().skip(1)).args(["serve", "--threads", &threads.to_string()]);
        command.args(["--parent", &std::process::id().to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        worker_env::give_threads(&mut command, *threads);
        if let Some(folder) = libraries {
            worker_env::give_libraries(&mut command, folder);
        }
        if let Some(settings) = allocator_settings {
            command.env(allocator::VARIABLE, settings);
        }
        let spawn_error = |source| Error::Spawn { program: program.clone(), source };
        let mut child = Supervised::start(command, Mark::new(MARK)).map_err(spawn_error)?;
        let pipes = (child.take_stdin(), child.take_stdout(), child.take_stderr());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(spawn_error(std::io::Error::other("its pipes are missing")));
        };

        // Who does not read holds up a thread, and not whoever looks at the time and at Ctrl-C.
        let (asked, to_ask) = mpsc::channel::<Vec<u8>>();
        std::thread::spawn(move || {
            let mut pipe = BufWriter::new(stdin);
            let mut write = |bytes: Vec<u8>| pipe.write_all(&bytes).and_then(|()| pipe.flush());
            while to_ask.recv().is_ok_and(|bytes| write(bytes).is_ok()) {}
        });
        // One that talks on and on waits until it is heard.
        let (say, said) = mpsc::sync_channel(1);
        let most_bytes = Arc::new(AtomicU64::new(0));
        let most = Arc::clone(&most_bytes);
        std::thread::spawn(move || listen(stdout, &most, &say));
        Ok(Self {
            child,
            asked,
            said,
            most_bytes,
            has_spoken: false,
            stderr: LastWords::keep(stderr, KEPT_LINES),
            interruption,
            hello: Deadline::after(HELLO_TIMEOUT),
            launch,
        })
    }

    /// Sends a message to one that has said all that it was asked for.
    ///
    /// # Errors
    /// [`Error::WorkerLost`].
    pub fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        if let Ok(early) = self.said.try_recv() {
            let what = early.map_or_else(|error| error.to_string(), |_| "it spoke without being asked".into());
            return Err(self.lost(&what, false));
        }
        // The thread has found the pipe closed.
        self.asked.send(bytes).map_err(|_| self.lost("it ended", false))
    }

    /// Lets the frame that answers the next message bring so many bytes of arrays.
    pub fn expect(&self, most_bytes: u64) {
        self.most_bytes.store(most_bytes, Ordering::Relaxed);
    }

    /// What it says within `timeout`.
    ///
    /// # Errors
    /// [`Error::WorkerLost`], [`Error::Interrupted`], or [`Error::Protocol`] where its first words are of another version.
    pub fn receive(&mut self, timeout: Duration) -> Result<Said> {
        self.receive_of(timeout, timeout)
    }

    /// Its first words.
    ///
    /// # Errors
    /// As of [`Process::receive`].
    pub fn greeting(&mut self) -> Result<Said> {
        self.receive_of(self.hello.left(), HELLO_TIMEOUT)
    }

    /// What it says within what is left of `timeout`.
    fn receive_of(&mut self, left: Duration, timeout: Duration) -> Result<Said> {
        match wait(&self.said, left, &self.interruption) {
            Ok(Ok(said)) => {
                self.has_spoken = true;
                Ok(said)
            }
            Ok(Err(error @ Error::Protocol { .. })) if !self.has_spoken => Err(error),
            Ok(Err(error)) => Err(self.lost(&error.to_string(), false)),
            Err(Gone::Interrupted) => {
                self.child.end();
                Err(Error::Interrupted)
            }
            Err(Gone::Late) => {
                Err(self.lost(&format!("no answer for {:.1} s, so it was ended", timeout.as_secs_f64()), true))
            }
            Err(Gone::Closed) => Err(self.lost("it ended", false)),
        }
    }

    /// Closes the pipe to it; whether it then ends by itself within `patience`.
    pub fn hang_up(&mut self, patience: Duration) -> bool {
        // Whoever writes to the pipe ends with the other end of this channel.
        self.asked = mpsc::channel().0;
        self.child.ends_within(patience)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether a process is one that it has started, wherever that has moved to.
    pub fn has_started(&self, id: u32) -> bool {
        self.child.has_started(id)
    }

    /// Ends the worker and says what is known of why; `hung` if it lived and did not answer.
    pub fn lost(&mut self, what: &str, hung: bool) -> Error {
        let mut reason = what.to_owned();
        let by_itself = self.child.ends_within(if hung { Duration::ZERO } else { PATIENCE });
        if let Some(status) = self.child.end().status.filter(|_| by_itself) {
            match status.signal() {
                Some(9) => reason += " by signal 9 (someone ended it, perhaps the system for lack of memory)",
                Some(signal) => reason += &format!(" by signal {signal}"),
                None => reason += &format!(" with {status}"),
            }
        }
        let lines = self.stderr.lines(PATIENCE);
        if let Some(words) = last_words(lines.iter().map(String::as_str)) {
            reason += &format!("; its last words: {words}");
        }
        Error::WorkerLost { worker: format!("pid {}", self.child.id()), reason, hung }
    }

    /// Begins to end the worker with all that it has started: several end side by side before each is dropped.
    pub fn let_go(&mut self) {
        self.child.let_go();
    }
}

/// Reads what a worker says, by the protocol that its first bytes are of, for as long as somebody listens.
fn listen(stdout: impl Read, most_bytes: &Arc<AtomicU64>, say: &mpsc::SyncSender<Result<Said>>) {
    let mut pipe = BufReader::new(stdout);
    let mut first = Vec::new();
    // What cannot be read here cannot be read below, which tells.
    let _ = pipe.by_ref().take(old::FIRST_BYTES.len() as u64).read_to_end(&mut first);
    let is_old = first == old::FIRST_BYTES;
    let pipe = Cursor::new(first).chain(pipe);
    if is_old {
        match old::Receiver::new(pipe) {
            Ok(mut receiver) => tell(say, || Ok(receiver.receive()?.map(Said::Old))),
            Err(error) => drop(say.send(Err(error))),
        }
    } else {
        let mut reader = Reader::bounded(pipe, most_bytes);
        tell(say, || Ok(reader.receive()?.map(Said::Frame)));
    }
}

/// Passes on what comes, up to the first error.
fn tell(say: &mpsc::SyncSender<Result<Said>>, mut next: impl FnMut() -> Result<Option<Said>>) {
    while let Some(said) = next().transpose() {
        let broken = said.is_err();
        if say.send(said).is_err() || broken {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use benchbook_core::message::{PROTOCOL, Say};

    use super::*;
    use crate::{clock, frame};

    /// Longer than anybody waits, in nanoseconds.
    const LONG_NS: i64 = 60_000_000_000;

    #[test]
    fn one_that_talks_on_and_on_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let (said, mut greeting) = (folder.path().join("said"), Vec::new());
        let (version, profile) = ("1".to_owned(), "release".to_owned());
        let hello = Say::Hello { protocol: PROTOCOL, version, pid: 1, profile, debug_assertions: false };
        frame::write(&mut greeting, &hello, &[], None).unwrap();
        fs::write(&said, greeting).unwrap();
        let script = format!("while cat '{}'; do :; done", said.display());
        let words = ["sh", "-c", script.as_str()].map(OsString::from).into();
        let mut worker =
            Process::start(Launch { words, threads: 1, libraries: None }, &Interruption::default()).unwrap();
        assert!(matches!(worker.greeting(), Ok(Said::Frame(_))));
        let end_ns = clock::now_ns() + LONG_NS;
        // What it says next comes a little after what was heard.
        let lost = loop {
            match worker.send(Vec::new()) {
                Ok(()) if clock::now_ns() < end_ns => std::thread::yield_now(),
                other => break other,
            }
        };
        let told = matches!(&lost, Err(Error::WorkerLost { reason, .. }) if reason.contains("without being asked"));
        assert!(told, "{lost:?}");
    }
}
