//! Answers as text cells.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use benchbook_core::on_one_line;

use super::{duration, number, size};
use crate::Result;

/// An answer as text cells, times and sizes in readable units: to be read, not to be computed with.
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
    ///
    /// # Errors
    /// A column of a type that has no text.
    pub fn of(schema: &SchemaRef, batches: &[RecordBatch], most: usize) -> Result<Self> {
        let heading = |name: &str| unit_of(name).0.replace('_', " ");
        Self::read(schema, batches, most, heading, readable)
    }

    /// The same with the names and numbers as they are.
    ///
    /// # Errors
    /// A column of a type that has no text.
    pub(crate) fn exact(schema: &SchemaRef, batches: &[RecordBatch], most: usize) -> Result<Self> {
        Self::read(schema, batches, most, str::to_owned, |_, column, take| texts(column, take))
    }

    fn read(
        schema: &SchemaRef,
        batches: &[RecordBatch],
        most: usize,
        heading: impl Fn(&str) -> String,
        text: impl Fn(&str, &ArrayRef, usize) -> Result<Vec<String>>,
    ) -> Result<Self> {
        let fields = schema.fields();
        let header = fields.iter().map(|field| heading(field.name())).collect();
        let numeric = fields.iter().map(|field| field.data_type().is_numeric()).collect();
        let mut rows = Vec::new();
        for batch in batches {
            let take = batch.num_rows().min(most - rows.len());
            let columns = batch.columns().iter().zip(fields).map(|(column, field)| text(field.name(), column, take));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            rows.extend((0..take).map(|row| columns.iter().map(|column| column[row].clone()).collect()));
        }
        Ok(Self { header, numeric, rows })
    }

    /// The cells without a column, for what stands in the heading already.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Some(index) = self.header.iter().position(|header| header == name) {
            self.remove(index);
        }
        self
    }

    /// The cells without columns in which nothing stands.
    pub(crate) fn without_empty(mut self) -> Self {
        for index in (0..self.header.len()).rev() {
            if self.rows.iter().all(|row| row[index].is_empty()) {
                self.remove(index);
            }
        }
        self
    }

    /// Takes a column away, and gives its name.
    pub(crate) fn remove(&mut self, index: usize) -> String {
        self.numeric.remove(index);
        self.rows.iter_mut().for_each(|row| drop(row.remove(index)));
        self.header.remove(index)
    }
}

/// The first `take` values of a column as text, each on one line for people.
///
/// # Errors
/// A type that has no text.
pub fn texts(column: &ArrayRef, take: usize) -> Result<Vec<String>> {
    if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
        let value = |row| if floats.is_null(row) { String::new() } else { number(floats.value(row)) };
        return Ok((0..take).map(value).collect());
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    Ok((0..take).map(|row| on_one_line(&formatter.value(row).to_string())).collect())
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
fn readable(name: &str, column: &ArrayRef, take: usize) -> Result<Vec<String>> {
    let show: fn(f64) -> String = match unit_of(name).1 {
        "_ns" => duration,
        "_bytes" => size,
        _ => return texts(column, take),
    };
    let floats = arrow::compute::cast(column, &DataType::Float64)?;
    let floats = floats.as_primitive::<Float64Type>();
    Ok((0..take).map(|row| if floats.is_null(row) { String::new() } else { show(floats.value(row)) }).collect())
}
