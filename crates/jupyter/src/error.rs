//! What can go wrong, and what to do about it.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a Jupyter kernel could not be installed or a notebook not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No snapshot was ever made here.
    #[error("no snapshot of the library at {}: make one with `cargo xtask lab`, or name one with --snapshot", looked_in.display())]
    NoSnapshot {
        /// Where it was looked for.
        looked_in: PathBuf,
    },
    /// A snapshot that is not what it says it is.
    #[error("the snapshot {} cannot be used: {problem}; make a new one with `cargo xtask lab`", folder.display())]
    BrokenSnapshot {
        /// The snapshot.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Cells would be compiled by another compiler than the library was.
    #[error("the snapshot was built by {built_by}, here is {here}: build it again with `cargo xtask lab`")]
    OtherToolchain {
        /// The compiler of the snapshot.
        built_by: String,
        /// The compiler of this machine.
        here: String,
    },
    /// A program that the Jupyter kernel needs is not there.
    #[error("{name} was not found ({looked_for}): {remedy}")]
    NoProgram {
        /// The program.
        name: &'static str,
        /// Where it was looked for.
        looked_for: String,
        /// What to do.
        remedy: String,
    },
    /// There is no Python environment.
    #[error(
        "no Python environment ({looked_for}): make the project's with `cargo xtask setup`, or name a Python in BENCHBOOK_PYTHON"
    )]
    NoPython {
        /// Where it was looked for.
        looked_for: String,
    },
    /// A Python that belongs to no environment gives no place for a kernelspec.
    #[error("{} belongs to no environment, so the kernel has no place: give one with --prefix, or take --user", python.display())]
    NoPrefix {
        /// The Python.
        python: PathBuf,
    },
    /// The user's own Jupyter folder is asked for, and nothing tells where it is.
    #[error("HOME is not set, so that nothing tells where your own Jupyter folder is: give a place with --prefix")]
    NoHome,
    /// The place of the kernelspec is taken.
    #[error("{} is not from benchbook ({problem}): remove it, or choose another --prefix", file.display())]
    ForeignKernelspec {
        /// Its `kernel.json`.
        file: PathBuf,
        /// Why it is not ours.
        problem: String,
    },
    /// A path that a kernelspec cannot hold.
    #[error("{} cannot stand in a kernelspec: {problem}; move it elsewhere", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A program ran and failed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command.
        command: String,
        /// How it ended and what it said.
        said: String,
    },
    /// A file that is no notebook.
    #[error("no notebook that can be run: {0}")]
    NotANotebook(String),
    /// Parameters are given, and the notebook takes none.
    #[error(
        "the notebook has no cell with the tag `parameters`, so it cannot be given `{name}`: tag the cell with its `let` lines, or leave out --param"
    )]
    NoParameters {
        /// The first parameter given.
        name: String,
    },
    /// A parameter that the notebook does not have.
    #[error("the notebook has no parameter `{name}`{nearest}: it has {known}")]
    UnknownParameter {
        /// The name given.
        name: String,
        /// `, did you mean …`, or nothing.
        nearest: String,
        /// Every name that it has.
        known: String,
    },
    /// A parameter that is given twice.
    #[error("parameter `{0}` is given twice: give it once")]
    RepeatedParameter(String),
    /// A value that does not fit the parameter's type.
    #[error("parameter `{name}` is `{kind}` ({place}: `{declaration}`) and cannot be `{value}`: {reason}")]
    Value {
        /// The parameter.
        name: String,
        /// Its type.
        kind: String,
        /// Cell and line of its declaration.
        place: String,
        /// The declaration.
        declaration: String,
        /// The value given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A copy would take the place of a notebook.
    #[error("the executed copy would overwrite {}: choose another folder with --executed", notebook.display())]
    Overwrites {
        /// The notebook.
        notebook: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("could not {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Names the file that an error of the system is about.
pub(crate) trait Named<T> {
    fn named(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> Named<T> for std::io::Result<T> {
    fn named(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| Error::File { action, path: path.into(), source })
    }
}
