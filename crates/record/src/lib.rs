//! The record of benchbook: Parquet, and stores of runs, above the journal that they begin as.
//!
//! A run is written through a [`RunWriter`] of `benchbook-journal`, whose names stand here too: rows go to a journal of
//! checksummed Arrow frames, and at the end [`to_parquet`] turns the journal into one Parquet file a table beside a
//! manifest of checksums. A [`Store`] reads runs in every state, from a folder or an object store, and names
//! what it leaves out. Nothing here computes a statistic, and nothing is rewritten in place.

mod convert;
mod describe;
mod digest;
mod examine;
mod manifest;
mod merge;
mod parallel;
mod parquet_file;
mod place;
mod remote;
mod repair;
mod select;
mod snapshot;
mod store;

#[cfg(test)]
mod tests;

pub use benchbook_core::{Opaque, RESERVED};
pub use benchbook_journal::{
    CAUTIOUS_PILOT, CheckRow, DOC_KEY, DeviceRow, Difference, Ended, Error, EventRow, Isolation, Keep, Level,
    LocalStore, MeasureRow, OutcomeRow, Phase, Provenance, Result, Root, RunRow, RunWriter, SCHEMA_VERSION, SampleRow,
    Status, StepRow, StepValueRow, Table, TelemetryRow, TrialRow, UNIT_KEY, VERSION_KEY, as_journal, batch_of, caught,
    cpu_quota, environment_difference, memory_limit_bytes, now_ns, panics_are_caught, pilot_of, read_bytes, read_text,
    rows_in, rows_of, same_machine, told_by_an_error,
};
pub use convert::to_parquet;
pub use describe::describe_schema;
pub use examine::verify;
pub use merge::{Merged, merge};
pub use repair::{Repaired, repair};
pub use snapshot::{Damaged, ParquetFile, RunEntry, RunFile, RunState, Snapshot};
pub use store::{Readable, Store, folder_of};
