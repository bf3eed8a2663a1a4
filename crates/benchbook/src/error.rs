//! One error for the facade's users.

use std::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of one of the libraries behind the facade; it says what to do.
///
/// What it holds is behind a pointer to a trait: how a hundred errors are let go is compiled in this library, and not again
/// in each cell of a notebook that has a `?`.
pub struct Error(Box<dyn Whole>);

/// Where an error of the facade comes from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
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
    /// The matrix of models and techniques.
    #[error(transparent)]
    Matrix(#[from] benchbook_matrix::Error),
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

/// An error, whole.
trait Whole: Send + Sync {
    fn kind(&self) -> &ErrorKind;
}

impl Whole for ErrorKind {
    fn kind(&self) -> &ErrorKind {
        self
    }
}

impl Error {
    // A cell compiles what takes any error.
    #[inline(never)]
    fn of(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }

    /// Where it comes from, with the error of that library.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        self.0.kind()
    }
}

impl<E: Into<ErrorKind>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::of(error.into())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.kind(), f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.kind(), f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_its_library_says() {
        let error = Error::from(benchbook_report::Error::Nothing("no runs".into()));
        assert!(matches!(error.kind(), ErrorKind::Show(_)));
        assert_eq!(error.to_string(), error.kind().to_string());
        // A cell that lets it go compiles as much as these two pointers take.
        assert_eq!(size_of::<Error>(), 2 * size_of::<usize>());
    }
}
