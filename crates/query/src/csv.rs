//! CSV files as tables: read whole, each column with the type that all of its values have.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::MemTable;

use crate::error::{Error, Result};

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>> {
    benchbook_record::read_bytes(path).map_err(|source| Error::CsvUnread { path: path.to_owned(), source })
}

/// The rows of a CSV file with a header; an empty cell is NULL, a column without values is text.
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<MemTable> {
    let bad = |reason: String| Error::Csv { path: path.to_owned(), reason };
    if bytes.trim_ascii().is_empty() {
        return Err(bad("it is empty, its first line must name the columns".to_owned()));
    }
    let (inferred, _) =
        Format::default().with_header(true).infer_schema(bytes, None).map_err(|error| bad(error.to_string()))?;
    let mut names = HashSet::new();
    for field in inferred.fields() {
        if field.name().trim().is_empty() {
            return Err(bad("a column has no name".to_owned()));
        }
        if !names.insert(field.name()) {
            return Err(bad(format!("two columns are called `{}`", field.name())));
        }
    }
    let fields = inferred.fields().iter().map(|field| match field.data_type() {
        DataType::Null => Field::new(field.name(), DataType::Utf8, true),
        _ => field.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let rows = ReaderBuilder::new(Arc::clone(&schema))
        .with_header(true)
        .build(bytes)
        .and_then(|reader| reader.collect::<std::result::Result<Vec<_>, _>>())
        .map_err(|error| bad(error.to_string()))?;
    Ok(MemTable::try_new(schema, vec![rows])?)
}

/// Whether SQL finds a table of that name without quotes.
pub(crate) fn is_plain(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(word) && name.starts_with(|c: char| c.is_ascii_lowercase())
}
