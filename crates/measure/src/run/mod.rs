//! A run: from a plan to a finished record.

mod asked;
pub(crate) mod beside;
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
pub(crate) mod offer;
mod pace;
mod pilot;
mod recorder;
mod row;
mod running;
mod schedule;
mod stages;
mod start;
mod stop;
#[cfg(test)]
mod tests;

pub use asked::keeps_disturbed;
pub use controller::RunSummary;
pub use ended::Ended;
pub use expand::Cell;
pub use forecast::forecast;
pub use observer::{Observer, Progress, Silent};
pub use pace::{Pace, about};
pub use recorder::MEASURES;
pub use start::{Ready, Start};
