//! Why a rival has no answer.

/// The result of a rival.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a rival has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting lies outside its range.
    #[error("{what} is {value}, but must lie in {range}")]
    OutOfRange {
        /// The name of the setting.
        what: &'static str,
        /// The value given.
        value: f64,
        /// The values allowed.
        range: &'static str,
    },
    /// The tool's output lacks what its verdict is read from.
    #[error("{tool} printed no {what}: its output was\n{output}")]
    Unread {
        /// The tool.
        tool: &'static str,
        /// What was looked for.
        what: &'static str,
        /// All that it printed.
        output: String,
    },
    /// The tool's process failed.
    #[error("{tool} ended with {status}: {messages}")]
    Failed {
        /// The tool.
        tool: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it wrote on stderr.
        messages: String,
    },
    /// There are too few samples, or they do not vary, or an average is not positive.
    #[error("no interval from these samples: {0}")]
    NoInterval(&'static str),
    /// A file, a process or a pipe.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A file that is not the JSON expected.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}
