//! Cargo as a child that is listened to, and ended with everything that it started; and what decides about a program
//! besides its sources.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use benchbook_process::{Lines, Mark, Supervised, at_home, output, without_cargo};

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

/// How long the compiler may take: rustup may have to download it first.
const LIMIT: Duration = Duration::from_secs(600);

/// Environment variables that compilers and build scripts heed.
const PREFIXES: [&str; 7] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_TARGET_", "LIBTORCH", "RUSTC"];
const NAMES: [&str; 6] = ["CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "RUSTUP_TOOLCHAIN"];
/// Where things are put decides nothing.
const PLACES: [&str; 3] = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR"];

/// Twelve digits that stand for the compiler, its flags, libtorch and the arguments of the build.
///
/// A worker kept from before an update of the compiler would make that update look like the candidate's doing.
///
/// # Errors
/// The compiler is missing.
pub(super) fn settings(top: &Path, arguments: &[String]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |name: &str, bytes: &[u8]| {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
    };
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output(Command::new(compiler).arg("-vV").current_dir(top), LIMIT);
    add("rustc", &version.map_err(io("rustc could not be started, is it installed?"))?.stdout);
    for file in [Some(top.join(".cargo/libtorch.toml")), user_configuration()].into_iter().flatten() {
        add("file", &std::fs::read(file).unwrap_or_default());
    }
    for argument in arguments {
        add("argument", argument.as_bytes());
    }
    let mut variables: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| counts(name))
        .collect();
    variables.sort();
    for (name, value) in &variables {
        add(name, value.as_encoded_bytes());
    }
    Ok(hasher.finalize().to_hex().chars().take(12).collect())
}

fn counts(name: &str) -> bool {
    let heeded = PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name);
    heeded && !PLACES.contains(&name)
}

fn user_configuration() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).map(|folder| folder.join("config.toml"))
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

    #[test]
    fn arguments_and_libtorch_count_and_places_do_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let of = |arguments: &[String]| settings(folder.path(), arguments).expect("a compiler");
        let plain = of(&[]);
        assert_eq!((plain.len(), &plain), (12, &of(&[])));
        assert_ne!(plain, of(&["--no-default-features".into()]));
        std::fs::create_dir(folder.path().join(".cargo")).expect("a folder");
        std::fs::write(folder.path().join(".cargo/libtorch.toml"), "[env]").expect("a file");
        assert_ne!(plain, of(&[]));
        assert!(counts("RUSTFLAGS") && counts("CARGO_PROFILE_RELEASE_LTO") && counts("CC"));
        assert!(!counts("CARGO_TARGET_DIR") && !counts("PATH") && !counts("CARGO_PKG_NAME"));
    }
}
