//! Fused attention.

mod backward;
mod block;
mod cache;
mod call;
mod decode;
mod few;
mod grad_step;
mod heads;
mod hidden;
mod isa;
mod program;
mod step;

pub use backward::{Forward, Gradients, attention_backward};
pub use cache::{Cache, Paged};
pub use call::{Attend, attention, attention_with_program, attention_with_sums};
pub use decode::decode;
pub use heads::Heads;
pub use program::{Place, Program, WithTiles};
