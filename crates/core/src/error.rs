//! What can go wrong before a measurement starts.

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of the words: unknown names, impossible parameters, plans that cannot be read.
///
/// Messages are lower-case fragments that say what to do; the program adds the context.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that nothing is registered under.
    #[error("unknown {what} `{name}`{hint}")]
    Unknown {
        /// What kind of thing was looked up.
        what: &'static str,
        /// The name as given.
        name: String,
        /// Either `, did you mean …?` or the list of known names.
        hint: String,
    },
    /// A parameter value that makes no sense for its workload.
    #[error("parameter `{name}` of {workload}: {reason}")]
    Param {
        /// The workload that owns the parameter.
        workload: String,
        /// The parameter's name.
        name: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A plan file that is not TOML, or not a plan; the message carries line and column.
    #[error("the plan cannot be read: {0}")]
    PlanSyntax(String),
    /// A plan that is well formed but cannot be run.
    #[error("the plan cannot be run: {0}")]
    Plan(String),
    /// An implementation could not be set up or run.
    #[error("{implementation} on {device}: {reason}")]
    Implementation {
        /// Which implementation.
        implementation: String,
        /// The device it was asked to run on.
        device: String,
        /// What went wrong.
        reason: String,
    },
}
