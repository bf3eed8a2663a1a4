//! What a query gives.

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::error::DataFusionError;

use crate::left_out::LeftOut;

/// The rows of a query, and what they leave out.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The columns; text is plain Utf8.
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

    pub(crate) fn new(schema: &Schema, batches: &[RecordBatch], left_out: LeftOut) -> Result<Self, DataFusionError> {
        let fields = schema.fields().iter().map(|field| match field.data_type() {
            DataType::Utf8View => field.as_ref().clone().with_data_type(DataType::Utf8),
            _ => field.as_ref().clone(),
        });
        let fields: Vec<_> = fields.collect();
        let schema = SchemaRef::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let batches = batches
            .iter()
            .map(|batch| {
                let columns = batch.columns().iter().zip(schema.fields());
                let columns = columns.map(|(column, field)| cast(column, field.data_type()));
                Ok(batch_of(&schema, columns.collect::<Result<_, _>>()?, batch.num_rows())?)
            })
            .collect::<Result<_, DataFusionError>>()?;
        Ok(Self { schema, batches, left_out })
    }
}

fn batch_of(
    schema: &SchemaRef,
    columns: Vec<arrow::array::ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
}
