//! What arithmetic can deliver: the other roof that kernels are measured by.

mod chains;
mod workload;

pub use chains::Chains;
pub use workload::Fma;
