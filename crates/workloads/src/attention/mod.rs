//! Scaled dot-product attention: the problem, and what its relatives share with it.

pub mod reference;
pub mod sizes;
mod workload;

pub use workload::Attention;
