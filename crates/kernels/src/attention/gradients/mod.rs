//! Attention forward and backward: one training step of it.

mod autodiff;
mod fused;
mod inputs;
mod reference;
mod workload;

pub use autodiff::Autodiff;
pub use fused::FusedGradients;
pub use inputs::GradientInputs;
pub use workload::AttentionGradients;
