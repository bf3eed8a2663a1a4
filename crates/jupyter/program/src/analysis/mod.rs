//! Completions and explanations of Rust by a rust-analyzer that knows the library, in a process of its own: it begins with
//! the first question, sleeps while a cell runs, so that no measurement meets it, and ends when nobody has asked for long.

mod world;

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use benchbook_process::{Mark, Supervised};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

pub(crate) use world::serve;

/// By which this program knows that it is to be that process.
pub(crate) const FLAG: &str = "--analyse";
/// The variable that finds what it has started.
const MARK: &str = "BENCHBOOK_ANALYSIS_MARK";

/// How long a person waits for words; an answer that comes later is for the next question.
const PATIENCE: Duration = Duration::from_millis(800);
/// How long the process stays that nobody asks.
const IDLE: Duration = Duration::from_secs(600);

/// What is asked of a cell.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    /// What stands before the cell, for the variables that it has.
    before: String,
    code: String,
    byte: usize,
    completes: bool,
}

/// What is known; places are bytes of the whole text.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) matches: Vec<String>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: Option<String>,
    pub(crate) markdown: Option<String>,
}

impl Question {
    /// What could stand at this byte of a cell, or else what stands there; `variables` have names and types.
    pub(crate) fn new(code: &str, byte: usize, completes: bool, variables: &[(String, String)]) -> Self {
        let variables: String = variables.iter().map(|(name, kind)| format!("mut {name}: {kind}, ")).collect();
        let before = format!("use benchbook::prelude::*;\nfn benchbook_cell({variables}) {{\n");
        Self { before, code: code.to_owned(), byte, completes }
    }

    fn text(&self) -> String {
        format!("{}{}\n}}\n", self.before, self.code)
    }
}

struct Asked {
    question: Question,
    answer: Sender<Answer>,
}

/// What is known of the process.
#[derive(Default)]
struct Place {
    /// The number of the process, and what ends it.
    process: Option<(Pid, Mark)>,
    sleeps: bool,
    asks: Option<Sender<Asked>>,
}

impl Place {
    /// Has the process sleep, or go on.
    fn send(&self, signal: Signal) {
        if let Some((process, _)) = &self.process {
            // One that has ended does neither.
            let _ = kill(*process, signal);
        }
    }
}

/// The process; copies are the same one.
#[derive(Clone, Default)]
pub(crate) struct Analysis(Arc<Mutex<Place>>);

impl Analysis {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, by the description of the library at this path; nothing where it is not known at once.
    pub(crate) fn ask(&self, project: PathBuf, question: Question) -> Option<Answer> {
        let before = question.before.len();
        let (answer, answers) = channel();
        {
            let mut place = self.place();
            if place.sleeps {
                return None;
            }
            let asks = match &place.asks {
                Some(asks) => asks.clone(),
                None => place.asks.insert(self.begin(project)?).clone(),
            };
            asks.send(Asked { question, answer }).ok()?;
        }
        let mut found = answers.recv_timeout(PATIENCE).ok()?;
        (found.start, found.end) = (found.start.saturating_sub(before), found.end.saturating_sub(before));
        Some(found)
    }

    /// Starts the thread that asks the process; nothing where there is no library, or no thread.
    fn begin(&self, project: PathBuf) -> Option<Sender<Asked>> {
        if !project.is_file() {
            return None;
        }
        let (asks, asked) = channel();
        let own = self.clone();
        let work = move || own.work(&asked, IDLE, || own.start(&project));
        Builder::new().name("analysis".into()).spawn(work).ok().map(|_| asks)
    }

    /// Answers by a process that begins with a question, and ends after an idle time.
    fn work(&self, asked: &Receiver<Asked>, idle: Duration, start: impl Fn() -> io::Result<Process>) {
        let mut process: Option<Process> = None;
        loop {
            let mut next = match asked.recv_timeout(idle) {
                Ok(next) => next,
                Err(RecvTimeoutError::Timeout) => {
                    self.place().process = None;
                    process = None;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Who has asked before does not wait any more.
            while let Ok(newer) = asked.try_recv() {
                next = newer;
            }
            if process.is_none() {
                process = start().ok();
            }
            match process.as_mut().map(|process| process.answer(&next.question)) {
                Some(Ok(answer)) => _ = next.answer.send(answer),
                // Another one is tried for the next question.
                _ => {
                    self.place().process = None;
                    process = None;
                }
            }
        }
    }

    fn start(&self, project: &Path) -> io::Result<Process> {
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(std::env::current_exe()?).arg(FLAG).arg(project);
        self.run(command)
    }

    fn run(&self, mut command: Command) -> io::Result<Process> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mark = Mark::new(MARK);
        let mut child = Supervised::start(command, mark.clone())?;
        let absent = || io::Error::other("a process without pipes");
        let input = child.take_stdin().ok_or_else(absent)?;
        let output = BufReader::new(child.take_stdout().ok_or_else(absent)?);
        let mut place = self.place();
        place.process = Some((Pid::from_raw(child.id().cast_signed()), mark));
        if place.sleeps {
            place.send(Signal::SIGSTOP);
        }
        drop(place);
        Ok(Process { input, output, _child: child })
    }

    /// A cell begins to run.
    pub(crate) fn sleep(&self) {
        let mut place = self.place();
        place.sleeps = true;
        place.send(Signal::SIGSTOP);
    }

    /// No cell runs.
    pub(crate) fn wake(&self) {
        let mut place = self.place();
        place.sleeps = false;
        place.send(Signal::SIGCONT);
    }

    /// Ends the process.
    pub(crate) fn finish(&self) {
        let process = self.place().process.take();
        if let Some((_, mark)) = process {
            mark.end_all();
        }
    }
}

/// The process, as its thread talks to it; it ends when this is dropped.
struct Process {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _child: Supervised,
}

impl Process {
    fn answer(&mut self, question: &Question) -> io::Result<Answer> {
        writeln!(self.input, "{}", serde_json::to_string(question)?)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    /// Answers each question by its own number.
    const SCRIPT: &str = "while read -r question; do \
        echo \"{\\\"matches\\\": [\\\"$$\\\"], \\\"start\\\": 0, \\\"end\\\": 0, \\\"text\\\": null, \\\"markdown\\\": null}\"; done";

    #[test]
    fn the_process_ends_when_nobody_asks_and_begins_again() {
        let analysis = Analysis::default();
        let (asks, asked) = channel();
        let own = analysis.clone();
        let start = move || {
            let mut command = Command::new("sh");
            command.args(["-c", SCRIPT]);
            own.run(command)
        };
        let thread = std::thread::spawn(move || analysis.work(&asked, Duration::from_millis(50), start));
        let ask = || {
            let (answer, answers) = channel();
            asks.send(Asked { question: Question::new("a", 0, true, &[]), answer }).unwrap();
            answers.recv().unwrap().matches
        };
        let (mut first, mut numbers) = (ask(), Vec::new());
        for _ in 0..2 {
            let number: i32 = first.pop().unwrap().parse().unwrap();
            while kill(Pid::from_raw(number), None::<Signal>) != Err(Errno::ESRCH) {
                std::thread::sleep(Duration::from_millis(5));
            }
            numbers.push(number);
            first = ask();
        }
        assert_ne!(numbers[0], numbers[1]);
        drop(asks);
        thread.join().unwrap();
    }
}
