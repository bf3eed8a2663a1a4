//! Why a statistic is NULL, as a word.

use benchbook_stats::Error;

/// The word that stands in the `reason` field beside a NULL.
pub(crate) fn word(error: &Error) -> &'static str {
    match error {
        Error::TooFew { .. } => "too-few",
        Error::NotFinite { .. } => "not-finite",
        Error::NotPositive { .. } | Error::MeanNotPositive { .. } => "not-positive",
        Error::Constant => "constant",
        Error::TooSmall => "too-small",
        Error::Ties => "ties",
        Error::Overflow => "not-finite",
        _ => "undefined",
    }
}
