//! Cargo as a child that is listened to, and ended with everything that it started.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use benchbook_measure::environment::git_process::at_home;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::error::{Result, RevisionError, io};

/// How often a wait looks whether someone asked for the end.
const SLICE: Duration = Duration::from_millis(100);

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

/// Cargo in a folder, without what `cargo run` adds to the environment for the program that it runs.
///
/// Build scripts watch some of these variables, and dependencies would be compiled again. One that asks git for its
/// commit asks that of the folder.
pub(super) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from));
    let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| set_by_cargo_run(name, by_cargo)) {
            command.env_remove(name);
        }
    }
    at_home(&mut command);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn set_by_cargo_run(name: &str, by_cargo: bool) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    let names = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
    // LIBTORCH of a program that cargo runs comes from the repository's own configuration, where it stands anyway.
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name) || (by_cargo && name == "LIBTORCH")
}

/// Runs a command to its end and gives every line of stderr to `progress`.
///
/// A pipe that nobody reads ends cargo at its next line, so that it does not outlive this program by much.
///
/// # Errors
/// [`RevisionError::Interrupted`] once the flag is set, or cargo cannot be started.
pub(super) fn build(command: &mut Command, interrupted: &AtomicBool, progress: &mut dyn FnMut(&str)) -> Result<Built> {
    // A group of its own, so that Ctrl-C reaches this program alone, which then ends the compilers too.
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group(command.spawn().map_err(io("cargo could not be started, is it installed?"))?);
    let (send, lines) = mpsc::channel();
    if let Some(stderr) = group.0.stderr.take() {
        listen(stderr, send.clone(), Line::Said);
    }
    if let Some(stdout) = group.0.stdout.take() {
        listen(stdout, send.clone(), Line::Message);
    }
    drop(send);
    let (mut said, mut messages) = (Vec::new(), Vec::new());
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
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = group.0.wait().map_err(io("waiting for cargo"))?;
    Ok(Built { status, said, messages })
}

/// A child with its process group, which ends when this is dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Once the child has been waited for, its number may belong to someone else.
        if matches!(self.0.try_wait(), Ok(None)) {
            if let Ok(id) = i32::try_from(self.0.id()) {
                let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
            }
            let _ = self.0.wait();
        }
    }
}

fn listen(pipe: impl Read + Send + 'static, to: mpsc::Sender<Line>, kind: fn(String) -> Line) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(std::result::Result::ok) {
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
        let ended = build(&mut command, &interrupted, &mut |line| {
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

    #[test]
    fn what_cargo_run_adds_is_recognised() {
        assert!(set_by_cargo_run("CARGO_PKG_NAME", false) && set_by_cargo_run("LIBTORCH", true));
        for name in ["CARGO_TARGET_DIR", "CARGO_HOME", "CARGO", "PATH", "LIBTORCH", "LIBTORCH_STATIC"] {
            assert!(!set_by_cargo_run(name, false), "{name}");
        }
    }
}
