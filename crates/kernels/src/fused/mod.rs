//! Our own kernels as operations on burn's tensors: extensions of the backend `flex`.

mod call;
mod ops;
mod pages;
mod program;
mod rotary;

pub use benchbook_simd::{Place, Program, Rotary, WithTiles};
pub use call::{Options, attention, attention_gradients, matmul};
pub use pages::{Pages, paged_attention};
pub use program::programmable_attention;
pub use rotary::rotary_attention;
