//! What a query gives.

use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;

use crate::left_out::LeftOut;

/// The rows of a query, and what they leave out.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The columns; text is plain Utf8, and no two have one name.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Samples that may not be used, and files that could not be read.
    pub left_out: LeftOut,
}

impl Answer {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows with plain text of `limit_bytes` at most; what was left out is to be filled in.
    pub(crate) fn new(schema: &DFSchema, batches: &[RecordBatch], limit_bytes: u64) -> Result<Self, DataFusionError> {
        // Rows share the text of a view, and each gets its own copy.
        let texts = batches.iter().flat_map(RecordBatch::columns).map(text_bytes).sum::<u64>();
        if texts > limit_bytes {
            return Err(DataFusionError::ResourcesExhausted(format!("{texts} bytes of text")));
        }
        let schema = plain(schema);
        let batches = batches
            .iter()
            .map(|batch| {
                let columns = batch.columns().iter().zip(schema.fields());
                let columns = columns.map(|(column, field)| cast(column, field.data_type()));
                Ok(batch_of(&schema, columns.collect::<Result<_, _>>()?, batch.num_rows())?)
            })
            .collect::<Result<_, DataFusionError>>()?;
        Ok(Self { schema, batches, left_out: LeftOut::default() })
    }
}

/// The bytes that a column of views takes as plain text.
fn text_bytes(column: &ArrayRef) -> u64 {
    let views = column.as_string_view_opt();
    views.map_or(0, |views| views.iter().flatten().map(|text| text.len() as u64).sum())
}

/// The schema with plain text; of columns of one name, all but the first are called by their table too.
fn plain(schema: &DFSchema) -> SchemaRef {
    let mut seen = HashSet::new();
    let fields = schema.iter().map(|(table, field)| {
        let mut name = field.name().clone();
        if let Some(table) = table.filter(|_| seen.contains(&name)) {
            name = format!("{}.{name}", table.table());
        }
        while !seen.insert(name.clone()) {
            name.push('_');
        }
        let kind = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        field.as_ref().clone().with_name(name).with_data_type(kind)
    });
    SchemaRef::new(Schema::new_with_metadata(fields.collect::<Vec<Field>>(), schema.metadata().clone()))
}

fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, arrow::error::ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
}
