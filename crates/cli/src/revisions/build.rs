//! The worker program of a revision, copied out.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use benchbook_process::{minimal_target, output};
use serde_json::Value;

use super::cargo::{Built, build, cargo, settings};
use super::error::{Result, RevisionError, io};
use super::git::{Git, Worktree};
use super::revision::{Revision, Source};

/// Name of the package and of the program.
const WORKER: &str = "benchbook-worker";

/// Lines of cargo's output that are kept of a build that fails.
const KEPT_LINES: usize = 40;

/// How long cargo may take to describe a workspace: it may wait for another that downloads.
const LIMIT: Duration = Duration::from_secs(600);

/// How often a wait for another gate looks whether it may go on.
const SLICE: Duration = Duration::from_millis(100);

/// Builds workers of one repository.
///
/// Every revision, a work tree with changes too, is built from the same folder: panic messages hold the path of
/// their file, and two programs of equal sources must be equal, byte by byte. Cargo names what it makes by the path
/// *within* a workspace and judges it by time stamps, so that worktrees which share a build folder take each other's
/// crates for their own. Hence settings that nothing else has (see [`apart`]), a lock, and a look at what was new.
pub struct Workshop<'a> {
    /// A folder in the repository.
    pub repository: &'a Path,
    /// Where workers are kept; outside the repository.
    pub cache: &'a Path,
    /// The build folder in which dependencies lie compiled; `None`: the repository's own.
    pub build_folder: Option<PathBuf>,
    /// More arguments of `cargo build`, such as `--no-default-features`.
    pub arguments: Vec<String>,
    /// Set once someone asks for the end.
    pub interrupted: &'a AtomicBool,
}

impl Workshop<'_> {
    /// The worker of a revision: `<cache>/<commit>-<settings>/benchbook-worker`, or `worktree-…` for changes.
    ///
    /// It is built unless it was before with these settings (compiler, flags, libtorch). Every line that cargo says
    /// goes to `progress`. Where two gates build at once, one waits for the other.
    ///
    /// # Errors
    /// Every [`RevisionError`] but those of names.
    pub fn worker_of(&self, revision: &Revision, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        let git = Git::at(self.repository)?;
        std::fs::create_dir_all(self.cache).map_err(io(self.cache.display()))?;
        let cache = self.cache.canonicalize().map_err(io(self.cache.display()))?;
        // Cargo joins the configurations of all folders above: flags would stand twice, and all be compiled again.
        if cache.starts_with(git.top.canonicalize().map_err(io(git.top.display()))?) {
            return Err(RevisionError::CacheInside { cache });
        }
        let kind = if matches!(revision.source, Source::Commit) { "" } else { "worktree-" };
        let settings = settings(&git.top, &self.arguments)?;
        let folder = cache.join(format!("{kind}{}-{settings}", revision.files()));
        let kept = folder.join(WORKER);
        if kept.is_file() {
            return Ok(kept);
        }
        let _lock = self.lock(&cache, progress)?;
        if !kept.is_file() {
            let worktree = Worktree::add(&git, cache.join("source"), revision.files())?;
            worktree.share_libtorch(&revision.label)?;
            let made = self.program(&git, revision, &worktree.path, &cache.join("made"), progress)?;
            keep(&made, &folder)?;
        }
        Ok(kept)
    }

    /// The worker of the work tree where the user's own build puts it: cargo compiles only what has changed since.
    ///
    /// That is the worker that `benchbook run` takes, so it is the one to compare with a run that was recorded; it is
    /// no worker to compare with one of [`Workshop::worker_of`], whose settings differ.
    ///
    /// # Errors
    /// [`RevisionError::NoWorkerPackage`], [`RevisionError::DoesNotBuild`], [`RevisionError::Interrupted`], or cargo is
    /// missing.
    pub fn worker_in_place(&self, revision: &Revision, progress: &mut dyn FnMut(&str)) -> Result<PathBuf> {
        let top = Git::at(self.repository)?.top;
        members(&top, revision)?;
        let mut command = self.command(&top);
        if let Some(folder) = &self.build_folder {
            command.env("CARGO_BUILD_BUILD_DIR", folder);
        }
        if self.arguments.iter().any(|argument| argument == "--no-default-features")
            && let Some(folder) = minimal_folder(&metadata(&top, revision)?)
        {
            command.env("CARGO_TARGET_DIR", folder);
        }
        executable(&self.build(command, revision, progress)?, revision)
    }

    /// The build of a worker, to be told where it goes.
    fn command(&self, source: &Path) -> Command {
        let mut command = cargo(source);
        command.args(["build", "--release", "--color", "never", "--package", WORKER, "--bin", WORKER]);
        command.args(["--message-format", "json-render-diagnostics"]).args(&self.arguments);
        command
    }

    /// Runs a build that has to work.
    fn build(&self, command: Command, revision: &Revision, progress: &mut dyn FnMut(&str)) -> Result<Built> {
        let built = build(command, self.interrupted, progress)?;
        if built.status.success() { Ok(built) } else { Err(does_not_build(revision, &built.said)) }
    }

    /// The right to build, given back when the file is dropped.
    fn lock(&self, cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<File> {
        let path = cache.join("lock");
        let lock = File::create(&path).map_err(io(path.display()))?;
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(io(path.display())(error)),
                Err(TryLockError::WouldBlock) if self.interrupted.load(Ordering::Relaxed) => {
                    return Err(RevisionError::Interrupted);
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        progress("waiting for another gate that builds");
                    }
                    told = true;
                    std::thread::sleep(SLICE);
                }
            }
        }
    }

    /// Compiles the worker of a checked-out revision; `made` gets what the user's own build would overwrite.
    fn program(
        &self,
        git: &Git,
        revision: &Revision,
        source: &Path,
        made: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<PathBuf> {
        let members = members(source, revision)?;
        let build_folder = match &self.build_folder {
            Some(folder) => folder.clone(),
            None => build_folder(&metadata(&git.top, revision)?).unwrap_or_else(|| git.top.join("target")),
        };
        let mut command = self.command(source);
        command.env("CARGO_TARGET_DIR", made).env("CARGO_BUILD_BUILD_DIR", build_folder);
        apart(&mut command, &members);
        let built = self.build(command, revision, progress)?;
        all_compiled(&built, source, revision)?;
        executable(&built, revision)
    }
}

/// Gives the crates of the workspace, and no dependency, names that no other build of them has.
///
/// The profile is part of a crate's name in the build folder. Line directives are what nobody else asks for, and
/// like any debug information they change no instruction; without incremental compilation no build leans on another.
fn apart(command: &mut Command, members: &[String]) {
    command.env("CARGO_INCREMENTAL", "0");
    for name in members {
        command.arg("--config").arg(format!("profile.release.package.\"{name}\".debug='line-directives-only'"));
    }
}

/// What cargo knows of the workspace at `folder`.
fn metadata(folder: &Path, revision: &Revision) -> Result<Value> {
    let mut command = cargo(folder);
    command.args(["metadata", "--no-deps", "--color", "never", "--format-version", "1"]);
    let output = output(&mut command, LIMIT).map_err(io("cargo could not be started, is it installed?"))?;
    let said = || String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect::<Vec<_>>();
    if !output.status.success() {
        return Err(does_not_build(revision, &said()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| io("cargo metadata")(error.into()))
}

/// The packages of the workspace at `folder`, the worker's among them.
fn members(folder: &Path, revision: &Revision) -> Result<Vec<String>> {
    let none = || RevisionError::NoWorkerPackage { revision: revision.label.clone() };
    if !folder.join("Cargo.toml").is_file() {
        return Err(none());
    }
    let metadata = metadata(folder, revision)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> =
        packages.iter().filter_map(|package| package["name"].as_str()).map(str::to_owned).collect();
    if names.iter().any(|name| name == WORKER) { Ok(names) } else { Err(none()) }
}

/// Where `cargo xtask` puts what is built without libtorch.
fn minimal_folder(metadata: &Value) -> Option<PathBuf> {
    minimal_target(Path::new(metadata["target_directory"].as_str()?))
}

fn build_folder(metadata: &Value) -> Option<PathBuf> {
    let folder = ["build_directory", "target_directory"].iter().find_map(|name| metadata[*name].as_str());
    folder.map(PathBuf::from)
}

fn does_not_build(revision: &Revision, said: &[String]) -> RevisionError {
    let first = said.iter().position(|line| line.starts_with("error"));
    let first = first.unwrap_or(said.len().saturating_sub(KEPT_LINES));
    let output = said.iter().skip(first).take(KEPT_LINES).map(String::as_str).collect::<Vec<_>>().join("\n");
    RevisionError::DoesNotBuild { revision: revision.label.clone(), output }
}

/// What cargo says of everything that the build consists of.
fn artifacts(built: &Built) -> impl Iterator<Item = Value> {
    let messages = built.messages.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.filter(|message| message["reason"] == "compiler-artifact")
}

/// Refuses what was not compiled now of the revision, whose files have just been written.
fn all_compiled(built: &Built, source: &Path, revision: &Revision) -> Result<()> {
    for message in artifacts(built).filter(|message| message["fresh"] == true) {
        let manifest = message["manifest_path"].as_str().unwrap_or_default();
        if Path::new(manifest).starts_with(source) {
            let package = message["target"]["name"].as_str().unwrap_or(manifest).to_owned();
            return Err(RevisionError::Stale { revision: revision.label.clone(), package });
        }
    }
    Ok(())
}

/// Where the program lies.
fn executable(built: &Built, revision: &Revision) -> Result<PathBuf> {
    let mut workers = artifacts(built).filter(|message| message["target"]["name"] == WORKER);
    let found = workers.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    found.ok_or_else(|| RevisionError::NoWorkerPackage { revision: revision.label.clone() })
}

/// Copies a program into `folder`, whole or not at all.
fn keep(made: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(io(folder.display()))?;
    let part = folder.join("part");
    // A copy, not a link: the linker may write the next program over this one.
    std::fs::copy(made, &part).map_err(io(made.display()))?;
    std::fs::rename(&part, folder.join(WORKER)).map_err(io(folder.display()))
}
