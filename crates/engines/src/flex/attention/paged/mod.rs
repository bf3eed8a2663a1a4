//! Decoding over a cache in blocks.

mod gathered;
mod inputs;
mod kernel;

pub use gathered::Gathered;
pub use inputs::PagedInputs;
pub use kernel::Paged;
