//! Training: steps of an optimizer, chains of operations that fusion makes one, and gradients that take fewer bytes.

mod adamw;
mod chain;
mod compression;

pub use adamw::{AdamW, AdamWParams, BETAS, DECAY, EPSILON, RATE};
pub use chain::{NormChain, NormChainParams};
pub use compression::{
    Int8Compression, Int8CompressionParams, PowerSgd, PowerSgdParams, TopKCompression, TopKCompressionParams,
};
