//! Scaled dot-product attention.

mod flash;
mod inputs;
mod naive;
mod reference;
mod workload;

pub use flash::Flash;
pub use inputs::AttentionInputs;
pub use naive::Naive;
pub use workload::Attention;
