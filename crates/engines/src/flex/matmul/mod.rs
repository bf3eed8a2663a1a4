//! Matrix multiplication.

mod burn_matmul;
mod custom;
mod tiled;

pub use burn_matmul::{Burn, burn_engine};
pub use custom::custom;
pub use tiled::Tiled;
