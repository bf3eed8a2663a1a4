//! Our own kernels as operations on burn's tensors: extensions of the backend `flex`.

mod call;
mod contextual;
mod ops;
mod pages;
mod program;
mod projected;
mod rotary;
mod sparse;

pub use benchbook_simd::{Place, Program, Projections, Rotary, WithTiles};
pub use call::{Options, attention, attention_gradients, matmul};
pub use contextual::contextual_attention;
pub use pages::{Pages, paged_attention};
pub use program::programmable_attention;
pub use projected::{projected_attention, projections};
pub use rotary::rotary_attention;
pub use sparse::{Select, sparse_attention};
