//! Matrix multiplication.

mod call;
pub(crate) mod isa;
pub(crate) mod pack;
pub(crate) mod panels;

pub(crate) use call::STEPS;
pub use call::{Product, matmul};
