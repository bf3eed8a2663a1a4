//! Older versions of the schema: the only place where they are read.
//!
//! A new version adds its number here together with the change that turns a batch of the version
//! before into one of its own; journals, manifests and Parquet files carry the number they were written under.

use std::sync::Arc;

use arrow::array::new_null_array;
use arrow::datatypes::{Field, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::{Error, Result, SCHEMA_VERSION, Table, VERSION_KEY};

/// Columns that are younger than their table, with the version that brought each.
const ADDED: [(u64, Table, &str); 1] = [(2, Table::Checks, "output")];

/// Tables that are younger than the record, with the version that brought each.
const ADDED_TABLES: [(u64, Table); 2] = [(2, Table::Steps), (2, Table::StepValues)];

/// Refuses what a later benchbook wrote, and numbers that never were a version; `what` carries the number.
///
/// # Errors
/// It is such a number.
pub fn check(what: &str, version: u64) -> Result<()> {
    if version > u64::from(SCHEMA_VERSION) {
        return Err(Error::Newer { what: what.to_owned(), found: version });
    }
    if version == 0 {
        return Err(Error::Damaged { path: what.to_owned(), reason: "schema version 0 does not exist".into() });
    }
    Ok(())
}

/// Whether a run of `version` can have rows of `table`.
pub fn has(version: u64, table: Table) -> bool {
    ADDED_TABLES.iter().all(|(since, added)| version >= *since || *added != table)
}

/// Whether both have the same columns, whatever stands in their metadata.
pub(crate) fn same_columns(found: &Schema, wanted: &Schema) -> bool {
    let same = |(found, wanted): (&Arc<Field>, &Arc<Field>)| {
        found.name() == wanted.name() && found.data_type() == wanted.data_type()
    };
    found.fields().len() == wanted.fields().len() && found.fields().iter().zip(wanted.fields()).all(same)
}

/// The columns of today's `schema` that `table` had under `version`.
pub(crate) fn columns_of(table: Table, version: u64, schema: &Schema) -> SchemaRef {
    let younger =
        |name: &str| ADDED.iter().any(|(since, of, added)| version < *since && *of == table && *added == name);
    let fields = schema.fields().iter().filter(|field| !younger(field.name())).cloned();
    Arc::new(Schema::new_with_metadata(fields.collect::<Fields>(), schema.metadata().clone()))
}

/// A batch of `table` written under `version`, with the columns of [`SCHEMA_VERSION`]; those that came later are null.
pub(crate) fn upgrade(table: Table, version: u64, batch: &RecordBatch) -> Result<RecordBatch> {
    check(table.name(), version)?;
    if !has(version, table) {
        let reason = format!("schema version {version} has no such table");
        return Err(Error::Damaged { path: table.name().to_owned(), reason });
    }
    let schema = table.schema();
    if !same_columns(&batch.schema(), &columns_of(table, version, &schema)) {
        return Err(Error::Damaged {
            path: table.name().to_owned(),
            reason: format!("its columns are not those of schema version {version}"),
        });
    }
    let absent = |field: &Field| new_null_array(field.data_type(), batch.num_rows());
    let column = |field: &Arc<Field>| batch.column_by_name(field.name()).cloned().unwrap_or_else(|| absent(field));
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema, columns).map_err(|cause| Error::Rows { table, cause })
}

/// A batch of a Parquet file of `table`, whose schema names its version, as [`SCHEMA_VERSION`] has it.
///
/// # Errors
/// Its columns are not those of its version.
pub fn upgrade_file(table: Table, batch: &RecordBatch) -> Result<RecordBatch> {
    let version = batch.schema_ref().metadata().get(VERSION_KEY).and_then(|text| text.parse().ok());
    upgrade(table, version.unwrap_or_default(), batch)
}
