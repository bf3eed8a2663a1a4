//! Matrix multiplication.

pub(crate) mod bytes;
mod call;
mod decoded;
pub(crate) mod decoder;
pub(crate) mod dot;
mod dynamic;
pub(crate) mod fused;
mod int4;
pub(crate) mod isa;
pub(crate) mod pack;
pub(crate) mod packed;
pub(crate) mod panel;
mod reduced;
mod table;
pub(crate) mod words;

pub use bytes::ByteDot;
pub(crate) use call::{Factors, block, multiply, product, task_size};
pub use call::{Product, Tiles, matmul, matmul_with};
pub use decoded::{PackedWeights, matmul_packed};
pub use decoder::Code;
pub use dynamic::{IntegerWeights, matmul_dynamic};
pub use int4::{Int4Weights, matmul_int4, matmul_int4_loop};
pub use reduced::{matmul_kept, matmul_low_rank};
pub use table::{Scales, TableWeights, decode_table, matmul_table, matmul_table_loop};
pub use words::CodedWeights;
