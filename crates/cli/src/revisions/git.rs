//! Questions to git and its answers; the files of a commit in a folder of their own, gone when done.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Write};
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

/// A checked-out commit; the folder and git's note of it go when this is dropped.
pub(super) struct Worktree<'a> {
    git: &'a Git,
    pub path: PathBuf,
}

impl<'a> Worktree<'a> {
    /// Checks `commit` out at `path`, in place of what an ended gate left there; the caller holds the lock.
    pub fn add(git: &'a Git, path: PathBuf, commit: &str) -> Result<Self> {
        remove(git, &path);
        let worktree = Self { git, path };
        let mut command = git.command();
        // With two --force, a path that git still has in its notes may be used again.
        command.args(["worktree", "add", "--quiet", "--force", "--force", "--detach"]).arg(&worktree.path).arg(commit);
        expect(&mut command)?;
        Ok(worktree)
    }

    /// Gives the files the same libtorch as the repository: the note of its place is not under version control.
    ///
    /// # Errors
    /// [`RevisionError::NoPlaceForLibtorch`], or the system refuses.
    pub fn share_libtorch(&self, label: &str) -> Result<()> {
        let note = Path::new(".cargo/libtorch.toml");
        let (from, to) = (self.git.top.join(note), self.path.join(note));
        if !from.is_file() {
            return Ok(());
        }
        let text = std::fs::read(&from).map_err(io(from.display()))?;
        let folder = self.path.join(".cargo");
        // A revision may hold links that lead out of the worktree: neither is followed.
        let made = match folder.symlink_metadata() {
            Ok(known) if known.is_dir() => Ok(()),
            Ok(_) => return Err(RevisionError::NoPlaceForLibtorch { revision: label.to_owned() }),
            Err(_) => std::fs::create_dir(&folder),
        };
        made.map_err(io(folder.display()))?;
        match File::create_new(&to).and_then(|mut file| file.write_all(&text)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io(to.display())(error)),
            _ => Ok(()),
        }
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        remove(self.git, &self.path);
    }
}

/// Removes the folder, whatever state it is in; what is left of it meets the next `add`, which tells.
fn remove(git: &Git, path: &Path) {
    let _ = output(git.command().args(["worktree", "remove", "--force", "--force"]).arg(path));
    let _ = std::fs::remove_dir_all(path);
    let _ = git.ask(&["worktree", "prune"]);
}
