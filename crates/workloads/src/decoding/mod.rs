//! Decoding: loops in which a model makes one token after another.

mod gpt2;
mod greedy;

pub use greedy::{GreedyDecoding, GreedyDecodingParams};
