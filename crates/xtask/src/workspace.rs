//! Where things lie, and how cargo and Python are called.

use crate::arguments::Options;
use crate::error::{Error, Named, Result};
use crate::process;
use crate::step::Steps;
use benchbook_process::minimal_target;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A clone that is set up.
pub struct Ready {
    /// The clone.
    pub workspace: Workspace,
    /// Its Python environment.
    pub python: Python,
    /// What was done so far.
    pub steps: Steps,
}

/// The clone, and the folder that its build goes to.
pub struct Workspace {
    /// The clone.
    pub root: PathBuf,
    /// What cargo builds.
    pub target: PathBuf,
    minimal: bool,
}

impl Workspace {
    /// The clone that this package lies in.
    ///
    /// # Errors
    /// It is gone, or cargo does not know it.
    pub fn find(options: &Options) -> Result<Self> {
        // Clones may share a target directory, so the folder at run time comes before the one at build time.
        let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Self::at(&Path::new(&own).join("../.."), options)
    }

    /// The clone in a folder.
    ///
    /// # Errors
    /// There is none.
    pub fn at(folder: &Path, options: &Options) -> Result<Self> {
        let root = folder.canonicalize().named("find", folder)?;
        let mut metadata = process::command(cargo());
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&root);
        let said = process::output(&mut metadata, "run `cargo xtask` inside the clone")?;
        let metadata: serde_json::Value = serde_json::from_str(&said)
            .map_err(|error| Error::Content { path: "cargo metadata".into(), problem: error.to_string() })?;
        let target = metadata["target_directory"].as_str().unwrap_or("target");
        Ok(Self { target: target_folder(Path::new(target), options.minimal), root, minimal: options.minimal })
    }

    /// `cargo VERB` on everything but what is built by itself, in the one profile and feature set.
    pub fn cargo(&self, verb: &str) -> Command {
        let mut command = process::command(cargo());
        command.current_dir(&self.root).args([verb, "--release", "--workspace"]);
        // The dylib of the notebooks, and the program that brings rust-analyzer.
        command.args(["--exclude", "benchbook-notebook", "--exclude", "benchbook-kernel"]);
        if verb == "build" {
            // This program runs already.
            command.args(["--exclude", "xtask"]);
        }
        if self.minimal {
            command.args(["--no-default-features", "--target-dir"]).arg(&self.target);
        }
        command
    }

    /// `cargo VERB` on one package.
    pub fn one(&self, verb: &str, package: &str) -> Command {
        let mut command = process::command(cargo());
        command.current_dir(&self.root).args([verb, "--release", "--package", package]);
        if self.minimal {
            command.args(["--no-default-features", "--target-dir"]).arg(&self.target);
        }
        command
    }

    /// A program that was built, by the shortest name that works from the root.
    pub fn program(&self, name: &str) -> PathBuf {
        let path = self.target.join("release").join(name);
        path.strip_prefix(&self.root).map(Path::to_owned).unwrap_or(path)
    }

    /// Whether a program was built at any time.
    pub fn has(&self, name: &str) -> bool {
        self.target.join("release").join(name).is_file()
    }

    /// A command that runs a built program in the root.
    pub fn run(&self, name: &str) -> Command {
        let mut command = process::command(self.program(name));
        command.current_dir(&self.root);
        command
    }

    /// The folder of the Python environment.
    pub fn venv(&self) -> PathBuf {
        // Joining an absolute path gives that path.
        self.root.join(std::env::var_os("BENCHBOOK_VENV").unwrap_or_else(|| ".venv".into()))
    }
}

/// The cargo that runs this program, or the one on PATH.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

fn target_folder(usual: &Path, minimal: bool) -> PathBuf {
    let beside = if minimal { minimal_target(usual) } else { None };
    beside.unwrap_or_else(|| usual.to_owned())
}

/// A Python environment that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The environment's folder.
    pub folder: PathBuf,
    /// Its Python.
    pub executable: PathBuf,
}

impl Python {
    /// The environment in this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { executable: folder.join("bin/python"), folder }
    }

    /// Runs a line of Python and gives its output.
    ///
    /// # Errors
    /// The Python does not start, or the line fails.
    pub fn say(&self, program: &str) -> Result<String> {
        process::output(
            process::command(&self.executable).args(["-c", program]),
            "remove the environment's folder and run this again",
        )
    }

    /// Whether it runs, and has pip.
    pub fn has_pip(&self) -> bool {
        self.executable.exists() && self.say("import pip").is_ok()
    }

    /// The folder of its packages.
    ///
    /// # Errors
    /// Those of [`Self::say`].
    pub fn packages(&self) -> Result<PathBuf> {
        self.say("import sysconfig; print(sysconfig.get_path('platlib'))").map(PathBuf::from)
    }

    /// The folder of the package torch, which libtorch is a part of; whether it is there or not.
    ///
    /// # Errors
    /// Those of [`Self::say`].
    pub fn torch(&self) -> Result<PathBuf> {
        Ok(self.packages()?.join("torch"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimal_is_built_beside() {
        assert_eq!(target_folder(Path::new("/a/target"), false), Path::new("/a/target"));
        assert_eq!(target_folder(Path::new("/a/target"), true), Path::new("/a/target-minimal"));
    }

    #[test]
    fn programs_have_short_names_inside_the_clone() {
        let inside = Workspace { root: "/a".into(), target: "/a/target".into(), minimal: false };
        assert_eq!(inside.program("benchbook"), Path::new("target/release/benchbook"));
        let outside = Workspace { root: "/a".into(), target: "/b".into(), minimal: false };
        assert_eq!(outside.program("benchbook"), Path::new("/b/release/benchbook"));
    }
}
