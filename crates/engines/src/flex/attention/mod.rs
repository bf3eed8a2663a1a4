//! Scaled dot-product attention.

mod burn_attention;
pub mod contextual;
mod custom;
mod fused;
pub mod gradients;
mod inputs;
mod naive;
pub mod paged;
pub mod program;
pub mod projected;
pub mod sparse;
mod whole;
pub mod window;

pub use burn_attention::BurnAttention;
pub use custom::custom;
pub use fused::Fused;
pub(crate) use fused::fused_engine;
pub use inputs::AttentionInputs;
pub use naive::Naive;
pub use whole::Whole;
