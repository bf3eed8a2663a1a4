//! Decoding over a cache in blocks.

mod gathered;
mod inputs;
mod kernel;
mod layout;
mod reference;
mod workload;

pub use gathered::Gathered;
pub use inputs::PagedInputs;
pub use kernel::Paged;
pub use workload::PagedAttention;
