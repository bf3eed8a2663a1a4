//! What arithmetic can deliver: the other roof that kernels are measured by.

mod chains;

pub use chains::Chains;
