//! Our own kernels as operations on burn's tensors: extensions of the backend `flex`.

mod call;
mod ops;
mod pages;

pub use call::{Options, attention, attention_gradients, matmul};
pub use pages::{Pages, paged_attention};
