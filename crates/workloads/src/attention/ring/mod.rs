//! Ring attention: one sequence over several workers.

mod layout;
mod problem;

pub use layout::{Layout, Ring, cut, place};
pub use problem::{QUERIES, RingAttention, ring, worker_bytes};
