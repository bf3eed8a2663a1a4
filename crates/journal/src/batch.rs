//! Rows as Arrow batches and back.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{Field, Fields, Schema, SchemaRef};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result, Table};

static BODIES: LazyLock<[SchemaRef; Table::ALL.len()]> = LazyLock::new(|| Table::ALL.map(build_body));

/// The columns of a journal's frame: those of the table without `run_id` (but for `runs`) and
/// without metadata, which the reader puts back.
pub(crate) fn body_schema(table: Table) -> SchemaRef {
    BODIES[usize::from(table.code())].clone()
}

fn build_body(table: Table) -> SchemaRef {
    let skipped = usize::from(table != Table::Runs);
    let schema = table.schema();
    let bare = |field: &Arc<Field>| Field::new(field.name(), field.data_type().clone(), field.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().skip(skipped).map(bare).collect::<Fields>()))
}

/// Serde rows of `table` (without `run_id`) as the body of a journal's frame.
///
/// # Errors
/// The rows are not those of the table.
pub fn body_of<T: Serialize>(table: Table, rows: &[T]) -> Result<RecordBatch> {
    let refused = |cause| Error::Rows { table, cause };
    let schema = body_schema(table);
    let mut decoder = ReaderBuilder::new(schema.clone())
        .with_batch_size(rows.len().max(1))
        .with_strict_mode(true)
        .build_decoder()
        .map_err(refused)?;
    decoder.serialize(rows).map_err(refused)?;
    let batch = decoder.flush().map_err(refused)?;
    Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema)))
}

/// Puts the column `run_id` before a frame's body; the array of ids is kept between frames.
#[derive(Debug)]
pub(crate) struct RunIds {
    run_id: String,
    ids: ArrayRef,
}

impl RunIds {
    pub(crate) fn new(run_id: &str) -> Self {
        Self { run_id: run_id.to_owned(), ids: Arc::new(StringArray::from_iter_values([run_id])) }
    }

    /// The columns of `table` in full; `body` has the columns of [`body_schema`].
    pub(crate) fn complete(&mut self, table: Table, body: &RecordBatch) -> Result<RecordBatch> {
        let refused = |cause| Error::Rows { table, cause };
        let mut fields = body.schema().fields().to_vec();
        let mut columns = body.columns().to_vec();
        if table != Table::Runs {
            if self.ids.len() < body.num_rows() {
                let ids = std::iter::repeat_n(self.run_id.as_str(), body.num_rows());
                self.ids = Arc::new(StringArray::from_iter_values(ids));
            }
            fields.insert(0, Arc::new(table.schema().field(0).clone()));
            columns.insert(0, self.ids.slice(0, body.num_rows()));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(refused)
    }
}

/// Rows of `table` as one batch with [`Table::schema`]; `run_id` fills the first column, but for
/// `runs`, whose rows carry their own.
///
/// # Errors
/// The rows are not those of the table.
pub fn batch_of<T: Serialize>(table: Table, run_id: &str, rows: &[T]) -> Result<RecordBatch> {
    let complete = RunIds::new(run_id).complete(table, &body_of(table, rows)?)?;
    RecordBatch::try_new(table.schema(), complete.columns().to_vec()).map_err(|cause| Error::Rows { table, cause })
}

/// The rows of a batch; columns that `T` does not have are skipped.
///
/// Floats that are not finite come back as absent values.
///
/// # Errors
/// The batch is not of the table that `T` is a row of.
pub fn rows_of<T: DeserializeOwned>(batch: &RecordBatch) -> Result<Vec<T>> {
    let mut lines = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut lines);
    writer.write(batch).and_then(|()| writer.finish()).map_err(Error::format("read rows of", "a batch"))?;
    drop(writer);
    serde_json::Deserializer::from_slice(&lines)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(Error::format("read rows of", "a batch"))
}
