//! Answers in every format.

use std::io::{BufWriter, ErrorKind, IsTerminal, Stdout, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;

use crate::args::Format;
use crate::batch::without_nesting;
use crate::error::Failure;

/// Stdout, whether or not anyone still reads it: the exit code belongs to the answer.
pub struct Out(Stdout);

/// Where answers go.
pub fn out() -> Out {
    Out(std::io::stdout())
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        read_or_not(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        read_or_not(self.0.flush(), ())
    }
}

/// A closed pipe is the reader's wish, not an error.
fn read_or_not<T>(written: std::io::Result<T>, unread: T) -> std::io::Result<T> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(unread),
        other => other,
    }
}

/// Prints batches to stdout.
///
/// # Errors
/// A type that the format cannot hold, or a stdout that cannot be written.
pub fn print(schema: &SchemaRef, batches: &[RecordBatch], format: Format) -> Result<(), Failure> {
    let mut out = BufWriter::new(out());
    match format {
        Format::Table => {
            let text = benchbook_show::table(schema, batches)?;
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

fn refuse_terminal(format: &str) -> Result<(), Failure> {
    if std::io::stdout().is_terminal() {
        return Err(Failure::say(format!("{format} is binary: send it to a file with `> answer.{format}`")));
    }
    Ok(())
}
