//! Training: steps of an optimizer, and chains of operations that fusion makes one.

mod adamw;
mod chain;

pub use adamw::{AdamW, AdamWParams, BETAS, DECAY, EPSILON, RATE};
pub use chain::{NormChain, NormChainParams};
