//! What can be in the way of a matrix.

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a matrix cannot be measured or shown; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Names, parameters, plans.
    #[error(transparent)]
    Core(#[from] benchbook_core::Error),
    /// Models and techniques.
    #[error(transparent)]
    Models(#[from] benchbook_models::Error),
    /// Measuring.
    #[error(transparent)]
    Measure(#[from] benchbook_measure::Error),
    /// The store.
    #[error(transparent)]
    Record(#[from] benchbook_record::Error),
    /// What is asked of the store.
    #[error(transparent)]
    Query(#[from] benchbook_query::Error),
    /// Tables and pages.
    #[error(transparent)]
    Report(#[from] benchbook_report::Error),
    /// An amount of memory that is none.
    #[error("memory {0}")]
    Memory(String),
}
