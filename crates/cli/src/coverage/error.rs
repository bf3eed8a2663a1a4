//! What can be wrong with the catalogue or with what names its rows; the caller says that it is the catalogue.

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of the catalogue; each is a mistake in this program, never in its input.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not TOML, a field that is not known, or a piece of evidence that cannot be read.
    #[error("its table cannot be read: {0}")]
    Syntax(String),
    /// Two rows or two sections with one id.
    #[error("`{0}` stands twice, ids are given once and kept for good")]
    Duplicate(String),
    /// An id that is not the section's letters and a number.
    #[error("row `{id}` stands in section {section}, its id must be {section} and a number from 1")]
    Id {
        /// The row.
        id: String,
        /// The section it stands in.
        section: String,
    },
    /// A reason that does not read as one.
    #[error("row `{0}`: `unavailable` must begin with `not testable here: ` and say why")]
    Reason(String),
    /// Evidence that asks for a row which is not there.
    #[error("row `{row}`: {cause}")]
    Matrix {
        /// The row whose evidence it is.
        row: String,
        /// The unknown row, with the nearest known one.
        cause: benchbook_core::Error,
    },
    /// An implementation that claims a row which is not there.
    #[error("implementation {implementation} of {workload} claims a row that is not there: {cause}")]
    Claim {
        /// The implementation.
        implementation: String,
        /// Its workload.
        workload: String,
        /// The unknown row, with the nearest known one.
        cause: benchbook_core::Error,
    },
    /// An implementation that claims a row which no implementation can make work.
    #[error(
        "implementation {implementation} of {workload} claims {id} without effect: \
         give that row the evidence `implementation`, or drop the claim"
    )]
    IdleClaim {
        /// The implementation.
        implementation: String,
        /// Its workload.
        workload: String,
        /// The row.
        id: String,
    },
}
