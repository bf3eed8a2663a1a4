//! The record of benchbook: schemas, a crash-safe journal, Parquet, and stores of runs.
//!
//! A run is written through a [`RunWriter`]: rows go to a journal of checksummed Arrow frames, and at
//! the end [`to_parquet`] turns the journal into one Parquet file a table beside a manifest of checksums. A [`Store`] reads runs in every state, from a folder or an object store, and names
//! what it leaves out. Nothing here computes a statistic, and nothing is rewritten in place.

mod ago;
mod batch;
mod caught;
mod cgroup;
mod columns;
mod convert;
mod describe;
mod digest;
mod environment;
mod error;
mod examine;
mod file;
mod folder;
mod footer;
mod frame;
mod journal;
mod local;
mod manifest;
mod merge;
mod parallel;
mod parquet_file;
mod place;
mod remote;
mod repair;
mod root;
mod rows;
mod run;
mod schema;
mod select;
mod sink;
mod snapshot;
mod state;
mod steps;
mod store;
mod stream;
mod table;
mod verify;
mod version;
mod writer;

#[cfg(test)]
mod tests;

pub use batch::{batch_of, rows_of};
pub use benchbook_core::RESERVED;
pub use caught::{caught, panics_are_caught, told_by_an_error};
pub use cgroup::{cpu_quota, memory_limit_bytes};
pub use convert::to_parquet;
pub use describe::describe_schema;
pub use environment::{Difference, environment_difference, same_machine};
pub use error::{Error, Result};
pub use file::{read_bytes, read_text};
pub use journal::rows_in;
pub use local::LocalStore;
pub use merge::{Merged, merge};
pub use repair::{Repaired, repair};
pub use root::Root;
pub use rows::{
    CheckRow, EventRow, Isolation, Level, MeasureRow, OutcomeRow, Phase, Provenance, SampleRow, Status, StepRow,
    StepValueRow, TelemetryRow, TrialRow,
};
pub use run::{CAUTIOUS_PILOT, DeviceRow, RunRow, now_ns, pilot_of};
pub use schema::{DOC_KEY, SCHEMA_VERSION, UNIT_KEY, VERSION_KEY};
pub use snapshot::{ParquetFile, Snapshot};
pub use state::{Damaged, RunEntry, RunFile, RunState};
pub use store::{Readable, Store, folder_of};
pub use table::Table;
pub use verify::verify;
pub use writer::{Ended, Keep, RunWriter, as_journal};
