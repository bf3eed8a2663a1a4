//! Record batches as aligned tables.

use std::io::IsTerminal;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table};

use crate::error::Failure;

/// Rows shown of a long answer; the table says how many there are.
const MOST_ROWS: usize = 1_000;

/// An aligned table with its number of rows; numbers to the right.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, Failure> {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY);
    table.set_header(schema.fields().iter().map(|field| Cell::new(field.name())));
    for (index, field) in schema.fields().iter().enumerate() {
        if field.data_type().is_numeric()
            && let Some(column) = table.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut shown = 0;
    for batch in batches {
        let take = batch.num_rows().min(MOST_ROWS - shown);
        let columns = batch.columns().iter().map(|column| texts(column, take)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..take {
            table.add_row(columns.iter().map(|column| Cell::new(&column[row])));
        }
        shown += take;
    }
    let count = match (shown == rows, rows) {
        (true, 1) => String::from("1 row"),
        (true, _) => format!("{rows} rows"),
        (false, _) => format!("{shown} of {rows} rows; add a limit, or take --format csv for all"),
    };
    Ok(format!("{table}\n{count}"))
}

/// The first `take` values of a column as text.
fn texts(column: &ArrayRef, take: usize) -> Result<Vec<String>, Failure> {
    if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
        let value = |row| if floats.is_null(row) { String::new() } else { number(floats.value(row)) };
        return Ok((0..take).map(value).collect());
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    // Control characters would move the cursor or colour the terminal.
    let clean = |text: String| text.replace(|c: char| c.is_control(), " ");
    Ok((0..take).map(|row| clean(formatter.value(row).to_string())).collect())
}

/// An answer as text cells, times and sizes in readable units: for reports, not for further computing.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Cells {
    /// Names of the columns, without the unit that each cell carries.
    pub header: Vec<String>,
    /// Whether a column is a number, and belongs to the right.
    pub numeric: Vec<bool>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Cells {
    /// The cells of batches, at most `most` rows of them.
    pub fn of(schema: &SchemaRef, batches: &[RecordBatch], most: usize) -> Result<Self, Failure> {
        let fields = schema.fields();
        let header = fields.iter().map(|field| unit_of(field.name()).0.replace('_', " ")).collect();
        let numeric = fields.iter().map(|field| field.data_type().is_numeric()).collect();
        let mut rows = Vec::new();
        for batch in batches {
            let take = batch.num_rows().min(most - rows.len());
            let columns =
                batch.columns().iter().zip(fields).map(|(column, field)| readable(field.name(), column, take));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            rows.extend((0..take).map(|row| columns.iter().map(|column| column[row].clone()).collect()));
        }
        Ok(Self { header, numeric, rows })
    }

    /// The cells without a column, for what stands in the heading already.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Some(index) = self.header.iter().position(|header| header == name) {
            self.header.remove(index);
            self.numeric.remove(index);
            self.rows.iter_mut().for_each(|row| drop(row.remove(index)));
        }
        self
    }

    /// The cells as an aligned table, verdicts coloured on a terminal.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_BORDERS_ONLY);
        // Breaks long cells to fit a terminal; elsewhere lines stay whole.
        if std::io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        table.set_header(&self.header);
        for (index, numeric) in self.numeric.iter().enumerate() {
            if *numeric && let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|text| match text.as_str() {
                "faster" => Cell::new("▲ faster").fg(Color::Green),
                "slower" => Cell::new("▼ slower").fg(Color::Red),
                "equivalent" => Cell::new("= equivalent").fg(Color::Blue),
                "undecided" => Cell::new("? undecided").fg(Color::DarkGrey),
                _ => Cell::new(text),
            }));
        }
        table
    }
}

/// A column's name without its unit, and the unit.
fn unit_of(name: &str) -> (&str, &str) {
    for unit in ["_ns", "_bytes"] {
        if let Some(stem) = name.strip_suffix(unit) {
            return (stem, unit);
        }
    }
    (name, "")
}

/// The first `take` values of a column, times and sizes in readable units.
fn readable(name: &str, column: &ArrayRef, take: usize) -> Result<Vec<String>, Failure> {
    let show: fn(f64) -> String = match unit_of(name).1 {
        "_ns" => duration,
        "_bytes" => |bytes| indicatif::BinaryBytes(bytes.max(0.0) as u64).to_string(),
        _ => return texts(column, take),
    };
    let floats = arrow::compute::cast(column, &DataType::Float64)?;
    let floats = floats.as_primitive::<Float64Type>();
    Ok((0..take).map(|row| if floats.is_null(row) { String::new() } else { show(floats.value(row)) }).collect())
}

/// Nanoseconds as a time with four digits.
pub fn duration(ns: f64) -> String {
    let (scale, unit) = match ns.abs() {
        size if size < 1e3 => (1.0, "ns"),
        size if size < 1e6 => (1e3, "µs"),
        size if size < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let value = ns / scale;
    let decimals = if value.abs() < 10.0 {
        3
    } else if value.abs() < 100.0 {
        2
    } else {
        1
    };
    format!("{value:.decimals$} {unit}")
}

/// A float for people: six significant digits, whole numbers whole.
pub fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let magnitude = value.abs().log10().floor();
    if (-5.0..15.0).contains(&magnitude) {
        let decimals = (5.0 - magnitude).clamp(0.0, 10.0) as usize;
        let text = format!("{value:.decimals$}");
        if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
    } else {
        format!("{value:.5e}")
    }
}

/// The same batches with lists, maps and structs as text, for formats without them.
pub fn without_nesting(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_digits() {
        let cases = [
            (0.0, "0"),
            (3.0, "3"),
            (1.0 / 3.0, "0.333333"),
            (1234567.25, "1234567"),
            (0.000012345678, "0.0000123457"),
            (1e-9, "1.00000e-9"),
            (1e20, "1.00000e20"),
            (f64::NAN, "NaN"),
            (-2.5, "-2.5"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_take_the_unit_that_reads_best() {
        let cases = [
            (0.5, "0.500 ns"),
            (19_300_000.0, "19.30 ms"),
            (1.5e9, "1.500 s"),
            (4_321.0, "4.321 µs"),
            (0.0, "0.000 ns"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let batch = text_batch(&[("name", vec!["a\u{1b}[31mred".into()])]).unwrap();
        assert!(!table(&batch.schema(), &[batch]).unwrap().contains('\u{1b}'));
    }
}
