//! Attention forward and backward: one training step of it.

mod autodiff;
mod fused;
mod inputs;

pub use autodiff::Autodiff;
pub use fused::FusedGradients;
pub use inputs::GradientInputs;
