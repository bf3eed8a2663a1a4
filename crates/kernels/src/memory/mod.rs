//! What memory gives at best: the roofs of every kernel that only reads, or reads and writes.

mod chunks;
mod copy;
mod read;
mod sums;

pub use chunks::Chunks;
pub use copy::Copy;
pub use read::Read;
pub use sums::Sums;
