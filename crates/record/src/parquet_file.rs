//! How tables are laid out in Parquet.

use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;
use parquet::schema::types::ColumnPath;

use crate::{Error, Result, caught};

/// Columns whose values hardly repeat: a dictionary would only cost time.
const WITHOUT_DICTIONARY: [&str; 5] = ["sample", "elapsed_ns", "started_ns", "cpu_user_ns", "cpu_system_ns"];

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Light compression, dictionaries where values repeat, statistics of every page.
pub(crate) fn properties() -> WriterProperties {
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    WITHOUT_DICTIONARY
        .iter()
        .fold(builder, |builder, name| builder.set_column_dictionary_enabled(ColumnPath::from(*name), false))
        .build()
}

/// Every batch of a Parquet file.
pub(crate) fn read(path: &str, input: impl ChunkReader + 'static) -> Result<Vec<RecordBatch>> {
    let refused = |reason| Err(Error::Format { doing: "read", path: path.to_owned(), reason });
    caught(|| batches(path, input)).unwrap_or_else(refused)
}

fn batches(path: &str, input: impl ChunkReader + 'static) -> Result<Vec<RecordBatch>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(Error::format("read", path))?;
    // The reader's batches lack the metadata of the file's schema.
    let schema = builder.schema().clone();
    let reader = builder.with_batch_size(65_536).build().map_err(Error::format("read", path))?;
    reader
        .map(|batch| RecordBatch::try_new(schema.clone(), batch?.columns().to_vec()))
        .collect::<Result<_, _>>()
        .map_err(Error::format("read", path))
}
