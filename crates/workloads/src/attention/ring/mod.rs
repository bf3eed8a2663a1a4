//! Ring attention: one sequence over several workers.

mod layout;
mod problem;

pub use layout::{Layout, Ring, cut, place};
pub use problem::{QUERIES, RingAttention, RingAttentionParams, ring, worker_bytes};
