//! Decoding: loops in which a model makes one token after another.

mod gpt2;
mod greedy;

pub(crate) use greedy::ids;
pub use greedy::{GreedyDecoding, GreedyDecodingParams};
