//! Matrix multiplication.

mod call;
pub(crate) mod isa;
pub(crate) mod pack;

pub use call::{Product, matmul};
