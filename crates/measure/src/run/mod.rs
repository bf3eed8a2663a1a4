//! A run: from a plan to a finished record.

mod asked;
mod believed;
mod budget;
mod controller;
mod disturbed;
mod ended;
mod expand;
mod forecast;
mod given_up;
mod group;
mod interrupt;
mod observer;
mod pace;
mod pilot;
mod recorder;
mod row;
mod running;
mod schedule;
mod stages;
mod stop;

pub use asked::{command_line, keeps_disturbed};
pub use controller::{RunSettings, RunSummary, run};
pub use ended::Ended;
pub use expand::{Cell, Expanded, describe, expand};
pub use forecast::forecast;
pub use observer::{Observer, Progress, Silent};
pub use pace::{Pace, about};
pub use recorder::MEASURES;
pub use row::run_row;
