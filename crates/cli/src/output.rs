//! Answers in every format.

use std::io::{BufWriter, IsTerminal, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use comfy_table::Table;
use parquet::arrow::ArrowWriter;

use crate::args::{Format, FormatArgs};
use crate::batch::without_nesting;
use crate::error::Failure;
use crate::people::{out, people};

/// Prints batches to stdout.
///
/// # Errors
/// A type that the format cannot hold, or a stdout that cannot be written.
pub fn print(schema: &SchemaRef, batches: &[RecordBatch], format: impl Into<FormatArgs>) -> Result<(), Failure> {
    let FormatArgs { format, wide } = format.into();
    // Programs get what was written; a terminal would obey it.
    let exact = match format {
        Format::Table => false,
        Format::Json | Format::Csv => !std::io::stdout().is_terminal(),
        Format::Arrow | Format::Parquet => true,
    };
    let mut out: Box<dyn Write + Send> = if exact { Box::new(BufWriter::new(out())) } else { Box::new(people()) };
    match format {
        Format::Table => {
            let text = benchbook_report::table(schema, batches, width(wide))?;
            writeln!(out, "{text}")?;
        }
        Format::Json => {
            // Every row has every column, also where it is NULL.
            let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = builder.build::<_, arrow::json::writer::JsonArray>(&mut out);
            writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
            writer.finish()?;
            drop(writer);
            writeln!(out)?;
        }
        Format::Csv => {
            let (flat, batches) = without_nesting(schema, batches)?;
            let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut out);
            // A header also when there are no rows.
            writer.write(&RecordBatch::new_empty(flat))?;
            for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
                writer.write(batch)?;
            }
        }
        Format::Arrow => {
            refuse_terminal("arrow")?;
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut out, schema)?;
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
        Format::Parquet => {
            refuse_terminal("parquet")?;
            let mut writer = ArrowWriter::try_new(&mut out, schema.clone(), None)?;
            for batch in batches {
                writer.write(batch)?;
            }
            writer.close()?;
        }
    }
    out.flush()?;
    Ok(())
}

/// The width that a table keeps to: the terminal's, or what COLUMNS says; nothing where neither tells, or for all of it.
pub fn width(wide: bool) -> Option<usize> {
    let told = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok().filter(|width| *width > 0);
    if wide { None } else { Table::new().width().map(usize::from).or_else(told) }
}

fn refuse_terminal(format: &str) -> Result<(), Failure> {
    if std::io::stdout().is_terminal() {
        return Err(Failure::say(format!("{format} is binary: send it to a file with `> answer.{format}`")));
    }
    Ok(())
}
