//! Scaled dot-product attention.

mod custom;
mod flash;
mod fused;
pub mod gradients;
mod inputs;
mod naive;
pub mod paged;
pub mod program;
mod reference;
mod sizes;
pub mod window;
mod workload;

pub use custom::custom;
pub use flash::Flash;
pub use fused::Fused;
pub(crate) use fused::fused_engine;
pub use inputs::AttentionInputs;
pub use naive::Naive;
pub use workload::Attention;
