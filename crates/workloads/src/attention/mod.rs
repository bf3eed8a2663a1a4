//! Attention: scaled dot-product attention, its relatives, and what their references share.

mod contextual;
mod gradients;
mod latent;
mod paged;
pub mod program;
mod projected;
pub mod reference;
pub mod ring;
mod sdpa;
pub(crate) mod sizes;
mod sparse;
pub mod window;

pub use contextual::{ContextualAttention, ContextualAttentionParams};
pub use gradients::{AttentionGradients, AttentionGradientsParams};
pub use latent::{LatentAttention, LatentAttentionParams};
pub use paged::{PagedAttention, PagedAttentionParams};
pub use program::{ProgrammableAttention, ProgrammableAttentionParams};
pub use projected::{ProjectedAttention, ProjectedAttentionParams};
pub use ring::{RingAttention, RingAttentionParams};
pub use sdpa::{Attention, AttentionParams};
pub use sparse::{SparseAttention, SparseAttentionParams};
pub use window::{WindowAttention, WindowAttentionParams};
