//! The facade: one crate that a notebook or a program of yours needs.
//!
//! It holds no logic of its own. `use benchbook::prelude::*;` brings [`Lab`] and the words; burn,
//! arrow, datafusion and plotly come along as modules.

mod asked;
mod display;
mod error;
mod host;
mod lab;
mod matrix;
pub mod notebook;
mod opened;
pub mod prelude;
mod run;

pub use arrow;
pub use benchbook_core as core;
pub use benchbook_engines::flex as kernels;
pub use benchbook_matrix::MatrixPlan;
pub use benchbook_measure as measure;
pub use benchbook_query as query;
pub use benchbook_record as record;
pub use benchbook_report as show;
pub use benchbook_report::charts;
pub use benchbook_search as search;
pub use benchbook_stats as stats;
pub use benchbook_workloads as workloads;
pub use burn;
pub use datafusion;
pub use display::{Bundle, Show, Stack};
pub use error::{Error, ErrorKind, Result};
pub use host::{host, worker_main};
pub use lab::Lab;
pub use plotly;
pub use run::Run;
