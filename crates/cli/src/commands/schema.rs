//! `benchbook schema`.

use std::io::Write;

use crate::error::Failure;
use crate::people::people;

/// Prints the tables of the record.
pub fn schema() -> Result<u8, Failure> {
    writeln!(people(), "{}", benchbook_record::describe_schema().trim_end())?;
    Ok(0)
}
