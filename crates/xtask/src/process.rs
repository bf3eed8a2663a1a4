//! Runs other programs. What a person watches stays in the person's group, where Ctrl-C reaches it.

use crate::error::{Error, Result};
use benchbook_process::{Supervised, without_cargo};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// A command without what `cargo run` adds to the environment for the program that it runs.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    without_cargo(&mut command);
    command
}

/// The command as a person would type it.
pub fn line(command: &Command) -> String {
    let quoted = |word: &OsStr| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect::<Vec<_>>().join(" ")
}

/// Runs a command whose output the person sees; `remedy` says what to do where it fails.
///
/// # Errors
/// It does not start, or it fails.
pub fn run(command: &mut Command, remedy: &str) -> Result<()> {
    let status = status(command, remedy)?;
    if status.success() { Ok(()) } else { Err(failed(command, status, remedy)) }
}

/// Runs a command whose output the person sees, and gives its ending back.
///
/// # Errors
/// It does not start.
pub fn status(command: &mut Command, remedy: &str) -> Result<ExitStatus> {
    command.stdin(Stdio::null()).status().map_err(|source| cannot_start(command, &source, remedy))
}

/// Starts a command in the person's group, to be listened to; it is ended when what comes back is dropped.
///
/// # Errors
/// It does not start.
pub fn start(command: &mut Command, remedy: &str) -> Result<Supervised> {
    Supervised::start_in_our_group(command).map_err(|source| cannot_start(command, &source, remedy))
}

/// The standard output of a command, without the white space around it.
///
/// # Errors
/// It does not start, or it fails.
pub fn output(command: &mut Command, remedy: &str) -> Result<String> {
    let output = benchbook_process::output(command, Duration::MAX);
    let output = output.map_err(|source| cannot_start(command, &source, remedy))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        let remedy = if said.trim().is_empty() { remedy.to_owned() } else { format!("{}\n  {remedy}", said.trim()) };
        Err(failed(command, output.status, &remedy))
    }
}

/// The ending of a child that tells itself what went wrong.
///
/// # Errors
/// The exit code to pass on; a signal has none.
pub fn passed_on(status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    Err(Error::Ended(code.unwrap_or(101)))
}

/// Why a command that was started did not do its work.
pub fn failed(command: &Command, status: ExitStatus, remedy: &str) -> Error {
    let ending = match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("was stopped ({status})"),
    };
    Error::Command { line: line(command), ending, remedy: remedy.to_owned() }
}

/// Why a command did not even start.
pub fn cannot_start(command: &Command, source: &std::io::Error, remedy: &str) -> Error {
    Error::Command { line: line(command), ending: format!("could not be started: {source}"), remedy: remedy.to_owned() }
}

/// Whether a program of this name, or at this path, can be started with `--version`.
pub fn exists(program: impl AsRef<Path>) -> bool {
    let mut command = command(program.as_ref());
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_pasted() {
        let mut command = Command::new("benchbook");
        command.args(["sql", "select 'a'", ""]);
        assert_eq!(line(&command), r"benchbook sql 'select '\''a'\''' ''");
    }

    #[test]
    fn an_ending_tells_code_and_words() {
        let message = output(Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"]), "do better")
            .expect_err("exit 3")
            .to_string();
        assert!(
            message.contains("exit code 3") && message.contains("no such thing") && message.contains("do better"),
            "{message}"
        );
        let message = run(&mut Command::new("/no/such/program"), "install it").expect_err("absent").to_string();
        assert!(message.contains("could not be started") && message.contains("install it"), "{message}");
        let message =
            run(Command::new("sh").args(["-c", "kill -9 $$"]), "more memory").expect_err("killed").to_string();
        assert!(message.contains("was stopped"), "{message}");
    }

    #[test]
    fn the_exit_code_of_a_child_is_passed_on() {
        let ended = |script: &str| passed_on(status(Command::new("sh").args(["-c", script]), "")?);
        assert!(ended("exit 0").is_ok());
        assert!(matches!(ended("exit 3"), Err(Error::Ended(3))));
        assert!(matches!(ended("kill -9 $$"), Err(Error::Ended(101))));
    }
}
