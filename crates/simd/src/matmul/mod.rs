//! Matrix multiplication.

mod call;
mod int4;
pub(crate) mod isa;
pub(crate) mod pack;
pub(crate) mod packed;
pub(crate) mod panel;
mod table;

pub(crate) use call::multiply;
pub use call::{Product, matmul};
pub use int4::{Int4Weights, matmul_int4, matmul_int4_loop};
pub use table::{Scales, TableWeights, matmul_table, matmul_table_loop};
