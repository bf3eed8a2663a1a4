//! Everything that can go wrong, each with what to do about it.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

/// The result of whatever can go wrong here.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
///
/// Written by hand: an error derive would triple the time to build this program.
#[derive(Debug)]
pub enum Error {
    /// The command line makes no sense.
    Usage(String),
    /// Something that the machine must have is absent, too old or broken.
    Requirement {
        /// What is not as it must be.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A command ended badly.
    Command {
        /// The command as a person would type it.
        line: String,
        /// How it ended.
        ending: String,
        /// What to do about it.
        remedy: String,
    },
    /// A file or folder could not be read or written.
    File {
        /// What was to be done with it.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A text is not what it should be.
    Content {
        /// Where the text comes from.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The child has said what is wrong; its exit code is passed on.
    Ended(u8),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) => write!(f, "{problem}: see `cargo xtask help`"),
            Self::Requirement { problem, remedy } => write!(f, "{problem}\n  {remedy}"),
            Self::Command { line, ending, remedy } => write!(f, "`{line}` {ending}\n  {remedy}"),
            Self::File { action, path, source } => write!(f, "could not {action} {}: {source}", path.display()),
            Self::Content { path, problem } => write!(f, "{}: {problem}", path.display()),
            Self::Ended(code) => write!(f, "ended with exit code {code}"),
        }
    }
}

impl std::error::Error for Error {}

/// Names the file that an operating-system error is about.
pub trait Named<T> {
    /// `action` is what was to be done with the file.
    ///
    /// # Errors
    /// Whatever the system said, with the name.
    fn named(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> Named<T> for std::io::Result<T> {
    fn named(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| Error::File { action, path: path.into(), source })
    }
}

/// What a program ends with; what went wrong is told on standard error, unless a child has told it.
pub fn exit_code(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Ended(code)) => ExitCode::from(code),
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::from(4)
        }
    }
}
