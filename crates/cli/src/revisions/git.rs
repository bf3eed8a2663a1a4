//! Questions to git and its answers.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use benchbook_process::git;

use super::error::{Result, RevisionError, io};

/// How long git may take: files of a revision are written to a slow disk.
const LIMIT: Duration = Duration::from_secs(600);

/// A repository, by the top of its work tree.
pub(super) struct Git {
    pub top: PathBuf,
}

impl Git {
    /// The repository that `folder` lies in.
    ///
    /// # Errors
    /// [`RevisionError::NoRepository`], or git is missing.
    pub fn at(folder: &Path) -> Result<Self> {
        let no_repository = |reason: String| RevisionError::NoRepository { folder: folder.to_owned(), reason };
        if !folder.is_dir() {
            return Err(no_repository("there is no such folder".into()));
        }
        let output = output(command(folder).args(["rev-parse", "--show-toplevel"]))?;
        if !output.status.success() {
            return Err(no_repository(said(&output)));
        }
        Ok(Self { top: text(&output).into() })
    }

    /// A git command at the top of the work tree.
    pub fn command(&self) -> Command {
        command(&self.top)
    }

    /// What a command answers, whether it likes the question or not.
    pub fn ask(&self, arguments: &[&str]) -> Result<Output> {
        output(self.command().args(arguments))
    }

    /// The answer of a command that has to work.
    pub fn tell(&self, arguments: &[&str]) -> Result<String> {
        expect(self.command().args(arguments))
    }
}

/// The answer of a command that has to work.
pub(super) fn expect(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(text(&output));
    }
    // Settings come first, two words each; the command is the first word after them.
    let words: Vec<&OsStr> = command.get_args().collect();
    let verb = words.get(2 * SETTINGS.len()).map_or_else(String::new, |word| word.to_string_lossy().into_owned());
    Err(RevisionError::Git { command: verb, said: said(&output) })
}

/// What a program wrote, without the white space around it.
pub(super) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a program complained of.
pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// Hooks of the user's are for the user's own work; names that mean two things must be told.
const SETTINGS: [&str; 3] = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "core.warnAmbiguousRefs=true"];

fn command(folder: &Path) -> Command {
    let mut command = git("git", folder);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command
}

/// What a command answers, whether it likes the question or not.
pub(super) fn output(command: &mut Command) -> Result<Output> {
    benchbook_process::output(command, LIMIT).map_err(io("git could not be started, is it installed?"))
}
