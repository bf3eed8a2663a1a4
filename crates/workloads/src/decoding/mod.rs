//! Decoding: loops in which a model takes a prompt, or makes one token after another.

mod choice;
mod generate;
mod gpt2;
mod greedy;
mod prefill;
mod stack;

pub use generate::{Generate, GenerateParams};
pub(crate) use greedy::ids;
pub use greedy::{GreedyDecoding, GreedyDecodingParams};
pub use prefill::{Prefill, PrefillParams};
pub use stack::Sizes;
