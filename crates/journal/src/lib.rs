//! The journal of benchbook: all that a run needs of the record while it is measured.
//!
//! Schemas and rows, and a [`RunWriter`] that appends them to a journal of checksummed Arrow frames; the folder of a
//! store that is written to, and safe ways to its files. It knows neither Parquet nor object stores: what becomes of a
//! journal that has ended is for the caller to say ([`Keep`]). `benchbook-record` reads stores, and shows what is here
//! under its own name.

mod batch;
mod caught;
mod cgroup;
mod columns;
mod environment;
mod error;
pub mod file;
pub mod folder;
pub mod frame;
mod local;
pub mod reader;
mod root;
mod rows;
mod run;
mod schema;
mod stream;
mod table;
pub mod version;
mod writer;

#[cfg(test)]
mod tests;

pub use batch::{batch_of, body_of, rows_of};
pub use caught::{caught, panics_are_caught, told_by_an_error};
pub use cgroup::{cpu_quota, memory_limit_bytes};
pub use columns::FRAME_ROWS;
pub use environment::{Difference, environment_difference, same_machine};
pub use error::{Error, Result};
pub use file::{Disk, Sink, disk, read_bytes, read_text};
pub use local::{LocalStore, MARKER, check_marker};
pub use reader::rows_in;
pub use root::Root;
pub use rows::{
    CheckRow, EventRow, Isolation, Level, MeasureRow, OutcomeRow, Phase, Provenance, SampleRow, Status, StepRow,
    StepValueRow, TelemetryRow, TrialRow,
};
pub use run::{CAUTIOUS_PILOT, DeviceRow, RunRow, now_ns, pilot_of};
pub use schema::{DOC_KEY, SCHEMA_VERSION, UNIT_KEY, VERSION_KEY};
pub use table::Table;
pub use writer::{Ended, Keep, RunWriter, as_journal, parse_run_id};
