//! How many replicates of how many blocks to measure.
//!
//! In two stages: a pilot tells the variance at each level, and with the cost at each level the plan is
//! fixed once (Kalibera & Jones, *Rigorous Benchmarking in Reasonable Time*, 2013).

mod allocate;
mod components;
mod pilot;
mod search;

pub use allocate::{Costs, Limits, Planned, allocate, detectable_after, half_width_after};
pub use components::{Components, components};
pub(crate) use pilot::inflation;
