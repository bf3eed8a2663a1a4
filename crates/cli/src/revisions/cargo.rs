//! Cargo as a child that is listened to, and ended with everything that it started.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use benchbook_process::{Lines, Mark, Supervised, at_home, without_cargo};

use super::error::{Result, RevisionError, io};

/// The variable that finds what a build has started.
const MARK: &str = "BENCHBOOK_BUILD_MARK";

/// The longest line: a command of the linker, or all that is known of a crate.
const LINE_BYTES: usize = 16 << 20;

/// How often a wait looks whether someone asked for the end.
const SLICE: Duration = Duration::from_millis(100);

/// Such waits without a word, after the end of cargo, before no more words are expected.
const MOST_LATE: u32 = 50;

/// A line of cargo's.
enum Line {
    /// For people, on stderr.
    Said(String),
    /// For programs, on stdout.
    Message(String),
}

/// What a build left: how it ended, what it said, what it made.
pub(super) struct Built {
    pub status: ExitStatus,
    pub said: Vec<String>,
    pub messages: Vec<String>,
}

/// Cargo in a folder, without what `cargo run` adds to the environment for the program that it runs. A build script that
/// asks git for its commit asks that of the folder.
pub(super) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from));
    without_cargo(&mut command);
    at_home(&mut command);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs a command to its end and gives every line of stderr to `progress`.
///
/// # Errors
/// [`RevisionError::Interrupted`] once the flag is set, or cargo cannot be started.
pub(super) fn build(mut command: Command, interrupted: &AtomicBool, progress: &mut dyn FnMut(&str)) -> Result<Built> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Supervised::start(command, Mark::new(MARK));
    let mut child = started.map_err(io("cargo could not be started, is it installed?"))?;
    let (send, lines) = mpsc::channel();
    if let Some(stderr) = child.take_stderr() {
        listen(stderr, send.clone(), Line::Said);
    }
    if let Some(stdout) = child.take_stdout() {
        listen(stdout, send.clone(), Line::Message);
    }
    drop(send);
    let (mut said, mut messages, mut late) = (Vec::new(), Vec::new(), 0);
    loop {
        if interrupted.load(Ordering::Relaxed) {
            return Err(RevisionError::Interrupted);
        }
        match lines.recv_timeout(SLICE) {
            Ok(Line::Said(line)) => {
                progress(&line);
                said.push(line);
            }
            Ok(Line::Message(line)) => messages.push(line),
            Err(RecvTimeoutError::Timeout) => {
                late += u32::from(child.ends_within(Duration::ZERO));
                // A server that it has started may hold its pipes for ever.
                if late == MOST_LATE {
                    break;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait().map_err(io("waiting for cargo"))?;
    Ok(Built { status, said, messages })
}

/// Passes on each line of a pipe for as long as somebody listens.
fn listen(pipe: impl Read + Send + 'static, to: mpsc::Sender<Line>, kind: fn(String) -> Line) {
    std::thread::spawn(move || {
        for line in Lines::of(pipe, LINE_BYTES) {
            if to.send(kind(String::from_utf8_lossy(&line).trim_end().to_owned())).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_ends_the_child_and_what_it_started() {
        let interrupted = AtomicBool::new(false);
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 300 & echo $! >&2; wait"]);
        let mut started = String::new();
        let ended = build(command, &interrupted, &mut |line| {
            started = line.to_owned();
            interrupted.store(true, Ordering::Relaxed);
        });
        assert!(matches!(ended, Err(RevisionError::Interrupted)));
        let gone = || match std::fs::read_to_string(format!("/proc/{started}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        for _ in 0..100 {
            if gone() {
                return;
            }
            std::thread::sleep(SLICE);
        }
        panic!("{started} lives on");
    }
}
