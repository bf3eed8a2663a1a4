//! What can go wrong when a calibration is read.

use thiserror::Error;

/// Why there is no calibration.
#[derive(Debug, Error)]
pub enum Error {
    /// The store cannot be asked.
    #[error(transparent)]
    Query(#[from] benchbook_query::Error),
    /// The store's answer has another shape than expected.
    #[error("the calibration's samples cannot be read: {0}")]
    Shape(String),
    /// The samples bear no figure.
    #[error("the calibration bears no figure: {0}")]
    Statistics(#[from] benchbook_stats::Error),
}

/// A result whose error says why there is no calibration.
pub type Result<T> = std::result::Result<T, Error>;
