//! What memory gives at best: the roofs of every kernel that only reads, or reads and writes.

mod chunks;
mod sums;

pub use chunks::Chunks;
pub use sums::Sums;
