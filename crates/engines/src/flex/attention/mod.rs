//! Attention and its relatives, a file a problem.

pub mod coded;
pub mod contextual;
pub mod eight;
pub mod gradients;
pub mod heads;
pub mod latent;
mod naive;
pub mod paged;
pub mod program;
pub mod projected;
mod sdpa;
pub mod sparse;
pub mod window;

pub use naive::NAIVE;
pub(in crate::flex) use naive::{attend, later};
pub use sdpa::{AttentionInputs, BURN_ATTENTION, FUSED, ROWS, WHOLE, custom};
