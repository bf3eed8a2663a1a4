//! The files of a commit in a folder of their own, gone when done.

use std::path::{Path, PathBuf};

use super::error::{Result, io};
use super::git::Git;

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
        super::git::expect(&mut command)?;
        Ok(worktree)
    }

    /// Gives the files the same libtorch as the repository: the note of its place is not under version control.
    pub fn share_libtorch(&self) -> Result<()> {
        let note = Path::new(".cargo/libtorch.toml");
        let (from, to) = (self.git.top.join(note), self.path.join(note));
        if !from.is_file() || to.exists() {
            return Ok(());
        }
        let folder = self.path.join(".cargo");
        std::fs::create_dir_all(&folder).map_err(io(folder.display()))?;
        std::fs::copy(&from, &to).map_err(io(from.display()))?;
        Ok(())
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        remove(self.git, &self.path);
    }
}

/// Removes the folder, whatever state it is in; what is left of it meets the next `add`, which tells.
fn remove(git: &Git, path: &Path) {
    let _ = git.command().args(["worktree", "remove", "--force", "--force"]).arg(path).output();
    let _ = std::fs::remove_dir_all(path);
    let _ = git.command().args(["worktree", "prune"]).output();
}
