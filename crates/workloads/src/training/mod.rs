//! Training: steps of an optimizer.

mod adamw;

pub use adamw::{AdamW, AdamWParams, BETAS, DECAY, EPSILON, RATE};
