//! A row of an answer by the names of its columns.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use benchbook_query::Answer;

/// One row; a cell whose column is absent, NULL or of another kind is nothing.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

/// The rows of an answer, in its order.
pub fn rows(answer: &Answer) -> impl Iterator<Item = Row<'_>> {
    answer.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| Row { batch, row }))
}

impl Row<'_> {
    /// A cell as text; numbers too are written out.
    pub fn text(&self, name: &str) -> Option<String> {
        Some(self.column(name, &DataType::Utf8)?.as_string::<i32>().value(self.row).to_owned())
    }

    /// A cell as a number.
    pub fn float(&self, name: &str) -> Option<f64> {
        Some(self.column(name, &DataType::Float64)?.as_primitive::<Float64Type>().value(self.row))
    }

    /// A cell as a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        Some(self.column(name, &DataType::Int64)?.as_primitive::<Int64Type>().value(self.row))
    }

    fn column(&self, name: &str, wanted: &DataType) -> Option<ArrayRef> {
        let column = cast(self.batch.column_by_name(name)?, wanted).ok()?;
        column.is_valid(self.row).then_some(column)
    }
}
