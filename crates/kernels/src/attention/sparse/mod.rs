//! Attention that leaves scores out, chosen from the inputs.

mod blocks;
mod gate;
mod implementations;
mod inputs;
mod kernel;
mod reference;
mod room;
mod threshold;
mod workload;

pub use implementations::Method;
pub use workload::SparseAttention;
