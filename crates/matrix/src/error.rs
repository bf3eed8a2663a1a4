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
    /// Real weights that are not those of the cells that a store holds.
    #[error(
        "the weights of {model} are not those by which run {run} has measured what the store holds: measure all of them again \
         (--again), or into another store"
    )]
    Weights {
        /// The model.
        model: String,
        /// A run by other weights.
        run: String,
    },
    /// An amount of memory that is none.
    #[error("memory {0}")]
    Memory(String),
}
