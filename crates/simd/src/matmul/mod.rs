//! Matrix multiplication.

mod call;
mod isa;
mod pack;

pub use call::{Product, matmul};
