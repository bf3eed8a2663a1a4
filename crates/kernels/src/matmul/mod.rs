//! Matrix multiplication.

mod burn_matmul;
mod custom;
mod reference;
mod tiled;
mod workload;

pub use benchbook_workloads::tolerance;
pub use burn_matmul::{Burn, burn_engine};
pub use custom::custom;
pub use tiled::Tiled;
pub use workload::Matmul;
