//! Attention with the projections around it.

mod chain;
mod inputs;
mod kernel;
mod reference;
mod workload;

pub use chain::Chain;
pub use inputs::ProjectedInputs;
pub use kernel::FusedProjected;
pub use workload::ProjectedAttention;
