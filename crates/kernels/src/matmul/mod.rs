//! Matrix multiplication.

mod burn_matmul;
mod reference;
mod workload;

pub use burn_matmul::{Burn, burn_engine};
pub use workload::{Matmul, tolerance};
