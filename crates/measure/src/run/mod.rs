//! A run: from a plan to a finished record.

pub(crate) mod beside;
mod budget;
mod controller;
mod disturbed;
mod ended;
mod expand;
mod group;
pub(crate) mod offer;
mod pilot;
mod progress;
mod recorder;
mod row;
pub(crate) mod schedule;
mod stages;
mod start;
mod stop;
#[cfg(test)]
mod tests;

pub use controller::RunSummary;
pub use ended::Ended;
pub use expand::Cell;
pub use progress::{Observer, Pace, Progress, Silent, about, forecast};
pub use recorder::MEASURES;
pub use row::keeps_disturbed;
pub use start::{Ready, Start};
