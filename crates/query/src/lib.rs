//! SQL over a store: ten tables, the views `results`, `pairs`, `unusable`, `verdicts` and `matrix_cells`, the like of
//! these for metrics other than time (`metric_values`, `metric_pairs` and `metric_verdicts`), statistics as functions,
//! named queries, and the table of published claims. Nothing here writes to a store.
//!
//! A [`Session`] is a snapshot: what was recorded when it was opened. Samples are read as a query
//! needs them; the facts of trials and the values of metrics are gathered once, when a view of theirs is first named.

mod answer;
mod bind;
mod calibration;
mod claims;
mod csv;
mod error;
mod explain;
mod facts;
mod functions;
mod infer;
mod memory;
mod metrics;
mod named;
mod names;
mod noise;
mod params;
mod session;
mod store_table;
mod tables;
mod validity;
mod verdicts;
mod views;
mod wait;

pub use answer::{Answer, LeftOut, Parts};
pub use calibration::{Accuracy, ByReplicate, CALIBRATION, CALIBRATION_GROUP, EqualPrograms};
pub use claims::claims;
pub use error::{Error, Position, Result};
pub use functions::{FunctionInfo, functions};
pub use memory::{default_memory_bytes, parse_memory, parse_percent, parse_size};
pub use metrics::{TIME, stated_metrics};
pub use named::{NamedQuery, ParamKind, QueryParam, named_queries, named_queries_in};
pub use names::{quoted, quoted_name};
pub use session::Session;
