//! How answers are printed.

use clap::{Args, ValueEnum};

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArgs {
    /// How to print; arrow and parquet go to stdout as files
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: Format,
    /// Show every column of a table, however wide it becomes
    #[arg(long)]
    pub wide: bool,
}

impl From<Format> for FormatArgs {
    fn from(format: Format) -> Self {
        Self { format, wide: false }
    }
}

/// A way to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON array of objects
    Json,
    /// Comma-separated with a header
    Csv,
    /// An Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
}
