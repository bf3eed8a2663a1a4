//! What memory gives at best: the roof of every kernel that only reads and writes.

mod chunks;
mod workload;

pub use chunks::Chunks;
pub use workload::Copy;
