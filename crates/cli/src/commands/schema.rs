//! `benchbook schema`.

use std::io::Write;

use crate::error::Failure;
use crate::output;

/// Prints the tables of the record.
pub fn schema() -> Result<u8, Failure> {
    writeln!(output::out(), "{}", benchbook_measure::record::describe_schema().trim_end())?;
    Ok(0)
}
