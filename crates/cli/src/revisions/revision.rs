//! What a name of a revision means.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::{Result, RevisionError, io};
use super::git::{self, Git};

/// A revision that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Full name of the commit; of a work tree with changes, the commit that they lie on.
    pub commit: String,
    /// Short name of the commit, with `+dirty` for a work tree with changes.
    pub label: String,
    /// Where the sources come from.
    pub source: Source,
}

/// Where the sources of a revision come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// From the commit; so do those of a work tree without changes.
    Commit,
    /// From the work tree as it was when it was asked for: git holds its files, new ones included.
    WorkTree {
        /// Full name of a commit on no branch with exactly these files; equal trees have equal names.
        snapshot: String,
    },
}

impl Revision {
    /// The revision that `name` means in the repository around `folder`: a branch, a tag, a commit, `HEAD~1`.
    ///
    /// Without a name it is the work tree. What changed is kept as a commit on no branch, so that an edit during
    /// the build changes nothing; files that git ignores do not belong to it, nor changes inside submodules.
    ///
    /// # Errors
    /// [`RevisionError::NoRepository`], [`RevisionError::Unknown`], [`RevisionError::Ambiguous`], or git fails.
    pub fn resolve(folder: &Path, name: Option<&str>) -> Result<Self> {
        let git = Git::at(folder)?;
        let commit = commit(&git, name.unwrap_or("HEAD"))?;
        let short = git.tell(&["rev-parse", "--short", &commit])?;
        if name.is_none()
            && let Some(snapshot) = snapshot(&git, &commit)?
        {
            return Ok(Self { commit, label: format!("{short}+dirty"), source: Source::WorkTree { snapshot } });
        }
        Ok(Self { commit, label: short, source: Source::Commit })
    }

    /// Refuses the repository of another project: neither this revision nor `HEAD` has the worker's package.
    ///
    /// # Errors
    /// [`RevisionError::Foreign`], or git fails.
    pub fn check_project(&self, folder: &Path) -> Result<()> {
        let git = Git::at(folder)?;
        let package = r#"^name *= *["']benchbook-worker["']"#;
        let words = ["grep", "--quiet", "--extended-regexp", "-e", package, self.files(), "HEAD", "--", "*Cargo.toml"];
        let output = git.ask(&words)?;
        match output.status.code() {
            Some(0) => Ok(()),
            Some(1) => Err(RevisionError::Foreign { folder: git.top }),
            _ => Err(RevisionError::Git { command: "grep".into(), said: git::said(&output) }),
        }
    }

    /// The commit whose files are built.
    pub(super) fn files(&self) -> &str {
        match &self.source {
            Source::Commit => &self.commit,
            Source::WorkTree { snapshot } => snapshot,
        }
    }
}

/// The full name of the commit that a name means.
fn commit(git: &Git, name: &str) -> Result<String> {
    let wanted = format!("{name}^{{commit}}");
    let output = git.ask(&["rev-parse", "--verify", "--end-of-options", &wanted])?;
    let said = git::said(&output);
    if said.contains("is ambiguous") {
        return Err(RevisionError::Ambiguous { name: name.to_owned(), said });
    }
    if !output.status.success() {
        return Err(RevisionError::Unknown { name: name.to_owned(), advice: advice(git, name)? });
    }
    Ok(git::text(&output))
}

/// What to try where a name means nothing.
fn advice(git: &Git, name: &str) -> Result<String> {
    let known = |reference: &str| -> Result<bool> {
        Ok(git.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", reference])?.status.success())
    };
    if !known("HEAD")? {
        return Ok("the repository has no commit yet".into());
    }
    if known(&format!("refs/remotes/origin/{name}"))? {
        return Ok(format!("write origin/{name}"));
    }
    if git.tell(&["rev-parse", "--is-shallow-repository"])? == "true" {
        return Ok("this clone is shallow, get the rest with `git fetch --unshallow` \
                   (in a workflow: actions/checkout with fetch-depth: 0)"
            .into());
    }
    Ok("`git fetch` gets what others have, `git branch --all` and `git tag` list what is here".into())
}

/// A commit on no branch with the files of the work tree, or nothing where they are those of `head`.
fn snapshot(git: &Git, head: &str) -> Result<Option<String>> {
    let folder = tempfile::tempdir().map_err(io("a temporary folder"))?;
    let index = folder.path().join("index");
    // A copy of the index knows which files are unchanged, and leaves what is staged as it is. It needs the time of
    // the original: git looks closer at files that are no older than the index.
    let own = git.top.join(PathBuf::from(git.tell(&["rev-parse", "--git-path", "index"])?));
    if own.is_file() {
        let copied = std::fs::copy(&own, &index).and_then(|_| File::options().write(true).open(&index));
        let modified = own.metadata().and_then(|metadata| metadata.modified());
        let timed = copied.and_then(|copy| copy.set_modified(modified?));
        timed.map_err(io(own.display()))?;
    }
    git::expect(git.command().env("GIT_INDEX_FILE", &index).args(["add", "--all"]))?;
    let tree = git::expect(git.command().env("GIT_INDEX_FILE", &index).arg("write-tree"))?;
    if tree == git.tell(&["rev-parse", &format!("{head}^{{tree}}")])? {
        return Ok(None);
    }
    let mut command = git.command();
    command.args(["commit-tree", "-p", head, "-m", "benchbook gate: the work tree", &tree]);
    // The same names and the same time, so that equal files give an equal commit.
    for side in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{side}_NAME"), "benchbook").env(format!("GIT_{side}_EMAIL"), "benchbook@localhost");
        command.env(format!("GIT_{side}_DATE"), "@0 +0000");
    }
    git::expect(&mut command).map(Some)
}
