//! The files of a commit in a folder of their own, gone when done.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::error::{Result, RevisionError, io};
use super::git::{Git, expect, output};

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
