//! Attention: scaled dot-product attention, its relatives, and what their references share.

mod contextual;
mod gradients;
mod paged;
pub mod program;
mod projected;
pub mod reference;
pub mod ring;
mod sdpa;
mod sizes;
mod sparse;
pub mod window;

pub use contextual::ContextualAttention;
pub use gradients::AttentionGradients;
pub use paged::PagedAttention;
pub use program::ProgrammableAttention;
pub use projected::ProjectedAttention;
pub use ring::RingAttention;
pub use sdpa::Attention;
pub use sparse::SparseAttention;
pub use window::WindowAttention;
