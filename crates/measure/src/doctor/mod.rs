//! What on this machine would spoil a measurement, and how to put it right.
//!
//! Every rule is a pure function of what was read before: the captured environment, two readings of
//! `/proc` with the time between them, the quality of the clock, and what the worker says of itself.

mod build;
mod clock;
mod engines;
mod examine;
mod finding;
mod load;
mod machine;
#[cfg(test)]
mod planted;
mod processor;
mod threads;
mod tools;
mod usage;

pub use clock::ClockQuality;
pub use examine::{Observations, WorkerAnswer, examine};
pub use finding::{Area, Finding, Level, worst};
pub use tools::find_program;
pub use usage::{Activity, BusyProcess, SHORTEST_INTERVAL_NS, Usage};
