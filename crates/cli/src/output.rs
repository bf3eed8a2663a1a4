//! Answers in every format, those that no query made too, what a doctor has found, and what is told beside them.

use std::io::{BufWriter, IsTerminal, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use benchbook_core::on_one_line;
use benchbook_query::LeftOut;
use benchbook_report::texts;
use comfy_table::Table;
use parquet::arrow::ArrowWriter;

use crate::args::{Format, FormatArgs};
use crate::error::{EXIT_ERROR, Failure, say};
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

/// The same batches with lists, maps and structs as text, for formats without them.
fn without_nesting(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
    let flat = |field: &Field| match field.data_type() {
        data_type if data_type.is_nested() => Field::new(field.name(), DataType::Utf8, true),
        _ => field.clone(),
    };
    let schema = Arc::new(Schema::new(schema.fields().iter().map(|field| flat(field)).collect::<Vec<_>>()));
    let column = |column: &ArrayRef| -> Result<ArrayRef, Failure> {
        if !column.data_type().is_nested() {
            return Ok(Arc::clone(column));
        }
        Ok(Arc::new(StringArray::from(texts(column, column.len())?)))
    };
    let batch = |batch: &RecordBatch| -> Result<RecordBatch, Failure> {
        let columns = batch.columns().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    };
    let batches = batches.iter().map(batch).collect::<Result<Vec<_>, _>>()?;
    Ok((schema, batches))
}

/// A batch from named text columns, for answers that no query made.
pub fn text_batch(columns: &[(&str, Vec<String>)]) -> Result<RecordBatch, Failure> {
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, false)).collect();
    let arrays = columns.iter().map(|(_, texts)| Arc::new(StringArray::from(texts.clone())) as ArrayRef).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// Tells what was left out on stderr; the exit code is that of an error where files were damaged and the user is
/// `strict`, and `code` otherwise.
pub fn tell_left_out(left_out: &LeftOut, strict: bool, code: u8) -> u8 {
    for line in left_out.lines() {
        say(on_one_line(&line));
    }
    if strict && !left_out.damaged.is_empty() { EXIT_ERROR } else { code }
}

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
        return print(&batch.schema(), &[batch], format);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let batch = text_batch(&[("name", vec!["a\u{1b}[31mred".into()])]).unwrap();
        assert!(!benchbook_report::table(&batch.schema(), &[batch], None).unwrap().contains('\u{1b}'));
    }
}
