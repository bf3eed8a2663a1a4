//! Our own kernels as operations on burn's tensors: extensions of the backend `flex`.

mod call;
mod contextual;
mod ops;
mod pages;
mod projected;
mod sparse;

pub use benchbook_simd::{Place, Projections, Rotary, ScoreMod, WithBlockMask};
pub use call::{
    Options, attention, attention_gradients, matmul, matmul_with, programmable_attention, rotary_attention,
};
pub use contextual::contextual_attention;
pub use pages::{Pages, paged_attention};
pub use projected::{projected_attention, projections};
pub use sparse::{Select, sparse_attention};
