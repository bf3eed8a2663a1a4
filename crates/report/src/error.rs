//! Why something cannot be shown.

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two runs come from environments that differ, or share nothing.
    #[error("{0}")]
    NotComparable(String),
    /// There is nothing to compare.
    #[error("{0}")]
    Nothing(String),
    /// The store.
    #[error(transparent)]
    Record(#[from] benchbook_record::Error),
    /// The samples of a calibration have another shape than expected.
    #[error("the calibration's samples cannot be read: {0}")]
    Calibration(String),
    /// The samples of a calibration bear no number.
    #[error("the calibration bears no number: {0}")]
    Statistics(#[from] benchbook_stats::Error),
    /// SQL.
    #[error(transparent)]
    Query(#[from] benchbook_query::Error),
    /// A chart.
    #[error(transparent)]
    Charts(#[from] crate::charts::Error),
    /// Columns that have other types than a view expects.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}
