//! Why a revision has no worker.

use std::path::PathBuf;

/// Why a revision could not be named, built, or copied out; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// The folder is in no git repository that may be read.
    #[error("{folder}: no git repository to take revisions from: {reason}")]
    NoRepository {
        /// Where it was looked for.
        folder: PathBuf,
        /// What git said.
        reason: String,
    },
    /// Nothing in the repository has this name.
    #[error("no revision is called `{name}`: {advice}")]
    Unknown {
        /// The name that was given.
        name: String,
        /// What to try.
        advice: String,
    },
    /// More than one thing in the repository has this name.
    #[error("`{name}` may mean more than one revision, write more of it (refs/heads/…, refs/tags/…):\n{said}")]
    Ambiguous {
        /// The name that was given.
        name: String,
        /// What git said of the candidates.
        said: String,
    },
    /// The repository is another project's.
    #[error(
        "the gate compares revisions of benchbook itself, by their package `benchbook-worker`, and {folder} has none. \
         Instead, let one worker of your own serve both versions of your code (`benchbook::worker_main`, see \
         notebooks/03_your_own_kernel.ipynb) and name it in BENCHBOOK_WORKER: `benchbook run` measures them side by \
         side, and `benchbook compare` says how they differ"
    )]
    Foreign {
        /// Top of the repository.
        folder: PathBuf,
    },
    /// The revision is from before the worker program.
    #[error("{revision} has no package `benchbook-worker` at the top of the repository: take a later revision")]
    NoWorkerPackage {
        /// The revision's label.
        revision: String,
    },
    /// What should be the folder of cargo's configuration is something else, such as a link that leads elsewhere.
    #[error(
        "`.cargo` of {revision} is no folder, so its build cannot learn where libtorch lies: take another revision"
    )]
    NoPlaceForLibtorch {
        /// The revision's label.
        revision: String,
    },
    /// Cargo could not build the worker of the revision.
    #[error("the worker of {revision} does not build:\n{output}")]
    DoesNotBuild {
        /// The revision's label.
        revision: String,
        /// Cargo's output from the first error on.
        output: String,
    },
    /// Cargo took what an earlier build of something else had left.
    #[error(
        "cargo took {package} from an earlier build instead of compiling that of {revision}: its files seem older, \
         is the clock of this machine right?"
    )]
    Stale {
        /// The revision's label.
        revision: String,
        /// The package.
        package: String,
    },
    /// The folder of workers lies where the builds would take up the repository's own configuration.
    #[error("{cache} lies inside the repository, whose cargo configuration would count twice: name a folder outside")]
    CacheInside {
        /// The folder of workers.
        cache: PathBuf,
    },
    /// Someone asked for the end.
    #[error("interrupted")]
    Interrupted,
    /// A git command failed that should not have.
    #[error("`git {command}` failed: {said}")]
    Git {
        /// The command, without its arguments.
        command: String,
        /// What it said.
        said: String,
    },
    /// A program, a file or a folder does not do what it should.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What happens to revisions, or why not.
pub type Result<T> = std::result::Result<T, RevisionError>;

/// Says what was being done where the system refuses.
pub(super) fn io(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> RevisionError {
    move |source| RevisionError::Io { what: what.to_string(), source }
}
