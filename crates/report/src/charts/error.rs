//! What can go wrong, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

/// The result of what draws.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a figure or a picture of it could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record batch lacks a column that the figure needs.
    #[error("{figure} needs a column `{column}`, found {found}: name it with `AS {column}` in the query")]
    MissingColumn {
        /// The figure's function.
        figure: &'static str,
        /// The column that is missing.
        column: String,
        /// The columns that are there.
        found: String,
    },
    /// A column has a type that the figure cannot read.
    #[error("{figure} needs column `{column}` as {wanted}, found {found}: cast it in the query")]
    ColumnType {
        /// The figure's function.
        figure: &'static str,
        /// The column.
        column: String,
        /// What was needed.
        wanted: &'static str,
        /// The Arrow type that was found.
        found: String,
    },
    /// A verdict is none of the four words.
    #[error("unknown verdict `{found}`: use faster, slower, equivalent or undecided, or NULL for none")]
    UnknownVerdict {
        /// The word found.
        found: String,
    },
    /// The rows of one variant disagree about its fit.
    #[error("`{column}` differs between rows of variant `{variant}`: give each variant one fit, repeated in its rows")]
    FitDiffers {
        /// The variant.
        variant: String,
        /// The column of the fit.
        column: &'static str,
    },
    /// There is no browser to draw a picture with.
    #[error(
        "no browser found (looked for {looked_for}): install one (Debian: `apt-get install chromium`) or name it in BENCHBOOK_BROWSER; HTML and JSON need none"
    )]
    NoBrowser {
        /// The names that were tried.
        looked_for: String,
    },
    /// The browser did not finish in time and was killed.
    #[error("{} took longer than {} s and was killed: draw fewer points or raise the limit", program.display(), limit.as_secs_f64())]
    BrowserTimedOut {
        /// The browser's program.
        program: PathBuf,
        /// The limit it ran under.
        limit: Duration,
    },
    /// The browser ran but drew nothing.
    #[error("{} drew no picture ({status}): {output}", program.display())]
    BrowserFailed {
        /// The browser's program.
        program: PathBuf,
        /// Its exit status, or what was wrong with its output.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// Arrow could not read a column.
    #[error("a column could not be read: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file for or from the browser could not be read or written.
    #[error("a temporary file or process for the browser failed: {0}")]
    Io(#[from] std::io::Error),
    /// The figure could not be written as JSON.
    #[error("the figure could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
