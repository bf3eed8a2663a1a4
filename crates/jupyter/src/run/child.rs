//! One `run.py`: started, told its job, listened to, and ended with everything that it started.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use benchbook_process::{LastWords, Lines, Mark, Supervised};

use super::messages::Event;

/// The variable that finds what a job has started, also where that has left its session and its parent.
const MARK: &str = "BENCHBOOK_NOTEBOOK_JOB";
/// How often a wait looks whether the child still lives and whether someone asked for the end.
const SLICE: Duration = Duration::from_millis(50);
/// How long a `run.py` that is done may take to go.
const GRACE: Duration = Duration::from_secs(10);
/// How long its last words may take to arrive once it has ended.
const SETTLE: Duration = Duration::from_secs(1);
/// The longest line: the source of a cell and what was said about it.
const LINE_BYTES: usize = 64 << 20;
/// What is kept of its standard error for the message about its end.
const KEPT_LINES: usize = 20;
/// What is quoted of a line that is no event.
const QUOTED_BYTES: usize = 2_000;

/// How a `run.py` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// It said that it was done.
    Done,
    /// Someone asked for the end.
    Interrupted,
    /// It failed, in these words.
    Broken(String),
}

/// How it ended, and the processes that could not be ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub how: Ending,
    pub left: Vec<u32>,
}

/// A line of `run.py`.
enum Said {
    Event(Event),
    Nonsense(String),
}

/// Runs a job to its end; `hear` gets every event.
pub(super) fn drive(
    python: &Path,
    script: &Path,
    folder: &Path,
    job: &str,
    patience: Duration,
    interrupted: &AtomicBool,
    hear: &mut dyn FnMut(Event),
) -> Ended {
    let mut command = Command::new(python);
    command.arg(script).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match Supervised::start(command, Mark::new(MARK)) {
        Ok(child) => child,
        Err(error) => {
            let how = Ending::Broken(format!("{} could not be started: {error}", python.display()));
            return Ended { how, left: Vec::new() };
        }
    };
    let last_words = child.take_stderr().map(|stderr| LastWords::keep(stderr, KEPT_LINES));
    if let Some(mut stdin) = child.take_stdin() {
        let job = job.to_owned();
        // A child that ends early does not read all of it, which its end tells better.
        std::thread::spawn(move || drop(stdin.write_all(job.as_bytes())));
    }
    let how = match child.take_stdout().map(listen) {
        Some(lines) => follow(&child, &lines, patience, interrupted, hear),
        None => Ok(Ending::Broken("its standard output is missing".into())),
    };
    let ended = child.end();
    let how = how.unwrap_or_else(|what| Ending::Broken(explain(what, ended.status, last_words)));
    Ended { how, left: ended.left.clone() }
}

/// What went wrong without a word of the child's own.
enum Trouble {
    Ended,
    Closed,
    Silent(Duration),
    Nonsense(String),
}

fn follow(
    child: &Supervised,
    lines: &Receiver<Said>,
    patience: Duration,
    interrupted: &AtomicBool,
    hear: &mut dyn FnMut(Event),
) -> Result<Ending, Trouble> {
    let (mut done, mut gone, mut closed, mut silent) = (false, false, false, Duration::ZERO);
    loop {
        match lines.recv_timeout(SLICE) {
            Ok(Said::Event(event)) => {
                done |= matches!(event, Event::Done { .. });
                silent = Duration::ZERO;
                hear(event);
            }
            // What is done is done: the last cells may still have something to say.
            Ok(Said::Nonsense(_)) if done => {}
            Ok(Said::Nonsense(text)) => return Err(Trouble::Nonsense(text)),
            Err(trouble) => {
                if trouble == RecvTimeoutError::Disconnected {
                    // It closes a little before the end can be seen; the wait is no longer the channel's.
                    closed = true;
                    std::thread::sleep(SLICE);
                }
                silent += SLICE;
                // A process that it left behind may hold the pipe open, so the end of lines is not waited for long.
                gone = child.ends_within(Duration::ZERO) && (closed || silent >= SETTLE);
            }
        }
        if done && (gone || silent >= GRACE) {
            return Ok(Ending::Done);
        }
        if gone {
            return Err(Trouble::Ended);
        }
        if closed && silent >= SETTLE {
            return Err(Trouble::Closed);
        }
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Ending::Interrupted);
        }
        if silent >= patience {
            return Err(Trouble::Silent(patience));
        }
    }
}

/// Reads events until the pipe closes.
fn listen(stdout: ChildStdout) -> Receiver<Said> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in Lines::of(stdout, LINE_BYTES) {
            let said = match serde_json::from_slice(&line) {
                Ok(event) => Said::Event(event),
                Err(_) => Said::Nonsense(shortened(&line)),
            };
            if send.send(said).is_err() {
                return;
            }
        }
    });
    lines
}

fn shortened(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(QUOTED_BYTES)]).trim_end().to_owned()
}

fn explain(trouble: Trouble, status: Option<ExitStatus>, last_words: Option<LastWords>) -> String {
    let mut text = match trouble {
        Trouble::Ended => match status.and_then(|status| status.signal()) {
            Some(9) => "the process that ran the notebook was killed, perhaps by the system for lack of memory".into(),
            Some(signal) => format!("the process that ran the notebook was ended by signal {signal}"),
            None => {
                let code =
                    status.and_then(|status| status.code()).map_or("unknown".to_owned(), |code| code.to_string());
                format!("the process that ran the notebook ended before it was done, with exit code {code}")
            }
        },
        Trouble::Closed => "the process that ran the notebook fell silent before it was done".into(),
        Trouble::Silent(patience) => {
            format!("the process that ran the notebook said nothing for {} s, so it was ended", patience.as_secs())
        }
        Trouble::Nonsense(line) => format!("the process that ran the notebook said what is no event: {line}"),
    };
    let words = last_words.map(|words| words.lines(SETTLE)).unwrap_or_default();
    let words: Vec<&str> = words.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty()).collect();
    if !words.is_empty() {
        text += &format!("\nits last words:\n{}", words.join("\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::scripts::Scripts;
    use super::*;

    const STARTED: &str = r#"echo '{"event":"started","cells":1}'"#;
    const DONE: &str = r#"echo '{"event":"done","ok":true,"seconds":0.5,"shown":[]}'"#;

    /// A shell in place of Python, a shell script in place of `run.py`.
    fn shell(script: &str, patience: Duration, interrupted: &AtomicBool) -> (Ended, Vec<Event>) {
        let scripts = Scripts::stand_in(script);
        let mut heard = Vec::new();
        let mut hear = |event| {
            if matches!(event, Event::Cell { .. }) {
                interrupted.store(true, Ordering::Relaxed);
            }
            heard.push(event);
        };
        let (shell, run) = (Path::new("/bin/sh"), scripts.run());
        let ended = drive(shell, &run, Path::new("/"), "{\"the\": \"job\"}", patience, interrupted, &mut hear);
        assert_eq!(ended.left, Vec::<u32>::new());
        (ended, heard)
    }

    fn long(script: &str) -> (Ended, Vec<Event>) {
        shell(script, Duration::from_secs(60), &AtomicBool::new(false))
    }

    fn broken(script: &str) -> String {
        match long(script).0.how {
            Ending::Broken(text) => text,
            other => panic!("{script}: {other:?}"),
        }
    }

    #[test]
    fn the_job_arrives_and_events_come_back() {
        let (ended, heard) =
            long(&format!("read job; [ \"$job\" = '{{\"the\": \"job\"}}' ] || exit 1\n{STARTED}\n{DONE}"));
        assert_eq!(ended.how, Ending::Done);
        assert_eq!(heard.len(), 2);
        assert_eq!(heard[0], Event::Started { cells: 1 });
    }

    #[test]
    fn an_early_end_a_signal_and_nonsense_are_told() {
        let told = broken(&format!("{STARTED}\necho no such module >&2\nexit 7"));
        assert!(told.contains("exit code 7") && told.contains("last words:\nno such module"), "{told}");
        let told = broken("kill -9 $$");
        assert!(told.contains("lack of memory"), "{told}");
        let told = broken("exec >&-; sleep 600");
        assert!(told.contains("fell silent"), "{told}");
        let told = broken("kill -15 $$");
        assert!(told.contains("signal 15"), "{told}");
        let told = broken("echo hello; sleep 600");
        assert!(told.contains("no event: hello"), "{told}");
        let ended = drive(
            Path::new("/no/python"),
            Path::new("/x"),
            Path::new("/"),
            "",
            SLICE,
            &AtomicBool::new(false),
            &mut |_| {},
        );
        assert!(matches!(ended.how, Ending::Broken(told) if told.contains("/no/python could not be started")));
    }

    #[test]
    fn words_without_end_are_bounded() {
        let told = broken("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1");
        assert!(told.len() < 100_000, "{}", told.len());
        let told = broken("head -c 3000000 /dev/zero | tr '\\0' x; exit 1");
        assert!(told.len() < 100_000, "{}", told.len());
    }

    #[test]
    fn silence_and_interrupts_end_it_with_what_it_started() {
        let quiet = shell("setsid sleep 600 & sleep 600", SLICE * 4, &AtomicBool::new(false)).0;
        assert!(matches!(quiet.how, Ending::Broken(told) if told.contains("said nothing")));
        let cell = r#"echo '{"event":"cell","index":0,"cells":1,"line":"loop {}"}'"#;
        let stopped = shell(&format!("{cell}\nsetsid sleep 600 & sleep 600"), Duration::MAX, &AtomicBool::new(false)).0;
        assert_eq!(stopped.how, Ending::Interrupted);
    }

    #[test]
    fn a_process_left_behind_does_not_hold_up_the_end() {
        // It holds both pipes open.
        let (ended, _) = long(&format!("setsid sleep 600 &\n{STARTED}\n{DONE}"));
        assert_eq!(ended.how, Ending::Done);
        let told = broken("setsid sleep 600 &\nexit 3");
        assert!(told.contains("exit code 3"), "{told}");
    }
}
