//! candle in process (the catalogue's EN6): Hugging Face's tensors in Rust, on the CPU.
//!
//! Its products are those of the gemm crate that burn's `flex` takes too; norms and softmax run on rayon's pool, and what goes
//! number by number on a pool of its own, which is as large.

mod attention;
mod blocks;
mod call;

pub use attention::{ATTENTION, FLASH};
pub use blocks::{EMBEDDING, LAYER_NORM, LINEAR, MATMUL, MLP, RMS_NORM, SOFTMAX};
