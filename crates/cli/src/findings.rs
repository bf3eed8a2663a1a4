//! What a doctor has found, as people read it or as rows.

use std::io::Write;

use crate::args::Format;
use crate::error::Failure;
use crate::output::{self, text_batch};
use crate::people::people;

/// One finding: level, area, text, and what to do about it.
pub struct Row<'a> {
    pub level: &'a str,
    pub area: &'a str,
    pub text: &'a str,
    pub remedy: Option<&'a str>,
}

/// Prints findings, each with its remedy.
pub fn show(rows: &[Row<'_>], format: Format) -> Result<(), Failure> {
    if format != Format::Table {
        let column = |show: fn(&Row<'_>) -> String| rows.iter().map(show).collect();
        let batch = text_batch(&[
            ("level", column(|row| row.level.into())),
            ("area", column(|row| row.area.into())),
            ("finding", column(|row| row.text.into())),
            ("remedy", column(|row| row.remedy.unwrap_or_default().into())),
        ])?;
        return output::print(&batch.schema(), &[batch], format);
    }
    let mut out = people();
    for Row { level, area, text, remedy } in rows {
        writeln!(out, "{level:8} {area}: {text}")?;
        if let Some(remedy) = remedy {
            writeln!(out, "         → {remedy}")?;
        }
    }
    Ok(())
}
