//! Older versions of the schema: the only place where they are read.
//!
//! A new version adds its number here together with the change that turns a batch of the version
//! before into one of its own; journals and manifests carry the number they were written under.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;

use crate::{Error, Result, SCHEMA_VERSION, Table};

/// Refuses what a later benchbook wrote, and numbers that never were a version.
pub(crate) fn check(what: &str, version: u64) -> Result<()> {
    if version > u64::from(SCHEMA_VERSION) {
        return Err(Error::Newer { what: what.to_owned(), found: version });
    }
    if version == 0 {
        return Err(Error::Damaged { path: what.to_owned(), reason: "schema version 0 does not exist".into() });
    }
    Ok(())
}

/// Whether both have the same columns, whatever stands in their metadata.
pub(crate) fn same_columns(found: &Schema, wanted: &Schema) -> bool {
    let same = |(found, wanted): (&Arc<Field>, &Arc<Field>)| {
        found.name() == wanted.name() && found.data_type() == wanted.data_type()
    };
    found.fields().len() == wanted.fields().len() && found.fields().iter().zip(wanted.fields()).all(same)
}

/// A batch of `table` written under `version`, with the columns of [`SCHEMA_VERSION`].
///
/// Version 1 is the first, so today this only checks that the columns are those of the table.
pub(crate) fn upgrade(table: Table, version: u64, batch: RecordBatch) -> Result<RecordBatch> {
    check(table.name(), version)?;
    let schema = table.schema();
    if !same_columns(&batch.schema(), &schema) {
        return Err(Error::Damaged {
            path: table.name().to_owned(),
            reason: format!("its columns are not those of schema version {version}"),
        });
    }
    RecordBatch::try_new(schema, batch.columns().to_vec()).map_err(|cause| Error::Rows { table, cause })
}
