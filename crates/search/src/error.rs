//! What can be wrong with a search before anything is tried.

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is nothing to search, or nothing to search by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No axis has a second value.
    #[error("there is nothing to choose: give at least one axis two values or more")]
    EmptySpace,
    /// An axis has no values, or two axes one name.
    #[error("the axis `{axis}` {reason}")]
    Axis {
        /// Its name.
        axis: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A table of configurations that cannot be read.
    #[error("line {line} of the table of configurations {reason}")]
    Table {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// A rule of a feedback loop by which it could not decide.
    #[error("{0}")]
    Rule(&'static str),
}
