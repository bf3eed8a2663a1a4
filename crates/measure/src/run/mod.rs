//! A run: from a plan to a finished record.

mod budget;
mod controller;
mod ended;
mod expand;
mod group;
mod observer;
mod order;
mod pilot;
mod recorder;
mod row;
mod stages;

pub use controller::{RunSettings, RunSummary, run};
pub use ended::Ended;
pub use expand::{Cell, Expanded, describe, expand};
pub use observer::{Observer, Progress, Silent};
pub use recorder::MEASURES;
pub use row::run_row;
