//! Attention with the projections around it.

mod chain;
mod inputs;
mod kernel;

pub use chain::Chain;
pub use inputs::ProjectedInputs;
pub use kernel::FusedProjected;
