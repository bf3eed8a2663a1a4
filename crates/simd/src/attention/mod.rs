//! Fused attention.

mod attend;
mod backward;
mod block;
mod cache;
mod call;
mod contextual;
mod decode;
mod few;
mod grad_step;
mod heads;
mod hidden;
mod isa;
mod program;
mod projected;
mod projections;
mod step;
mod walk;

pub use attend::Attend;
pub use backward::{Forward, Gradients, attention_backward};
pub use cache::{Cache, Paged};
pub use call::{attention, attention_with_program, attention_with_sums};
pub use contextual::{Contextual, contextual_attention};
pub use decode::decode;
pub use heads::Heads;
pub use program::{Place, Program, WithTiles};
pub use projected::{Projected, projected_attention};
pub use projections::{Projections, Weights};
