//! Attention and its relatives, a file a problem.

pub mod contextual;
pub mod gradients;
mod naive;
pub mod paged;
pub mod program;
pub mod projected;
mod sdpa;
pub mod sparse;
mod whole;
pub mod window;

pub use naive::Naive;
pub use sdpa::{AttentionInputs, BurnAttention, Fused, custom};
pub use whole::Whole;
