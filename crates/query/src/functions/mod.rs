//! Statistics as SQL functions: one state for a family, its members planned as fields of it.

mod catalogue;
mod family;
mod growing;
mod growth;
mod lists;
mod moments;
mod numbers;
mod order;
mod paired;
mod params;
mod planner;
mod points;
mod power;
mod ranks;
mod replicates;
mod series;
mod state;
mod suite;
mod summary;
mod unpaired;
mod windows;

pub use catalogue::{FunctionInfo, functions};
pub(crate) use catalogue::{aggregates, scalars, windows};
pub(crate) use growing::bound;
pub(crate) use planner::{BlockOrder, FamilyPlanner};
