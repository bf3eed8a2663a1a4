//! Matrix multiplication.

mod call;
pub(crate) mod isa;
pub(crate) mod pack;
pub(crate) mod panels;

pub use call::{Product, matmul};
