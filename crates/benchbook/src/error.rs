//! One error for the facade's users.

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of one of the libraries behind the facade; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Names, parameters, plans.
    #[error(transparent)]
    Core(#[from] benchbook_core::Error),
    /// The store.
    #[error(transparent)]
    Record(#[from] benchbook_record::Error),
    /// SQL.
    #[error(transparent)]
    Query(#[from] benchbook_query::Error),
    /// Measuring.
    #[error(transparent)]
    Measure(#[from] benchbook_measure::Error),
    /// Tables, comparisons, figures.
    #[error(transparent)]
    Show(#[from] benchbook_report::Error),
    /// Charts.
    #[error(transparent)]
    Charts(#[from] benchbook_report::charts::Error),
    /// A cell of SQL asks, and no store is open.
    #[error("no store is open, and {looked_for} is none: open one in a cell of Rust, as `Lab::open(\"results\")?`")]
    NoStore {
        /// The store that is taken where none is open.
        looked_for: String,
    },
    /// No cell of SQL has bound an answer to that name.
    #[error("no answer is bound to `{0}`: begin a cell by `%%sql {0} <<`")]
    NoAnswer(String),
}
