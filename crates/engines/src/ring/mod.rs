//! Ring attention: one sequence over several workers, as threads and as processes, without burn.

mod crew;
mod member;
mod memory;
mod merge;
mod order;
mod processes;
mod program;
mod round;
mod shard;
mod sockets;
mod split;
mod threads;
mod wire;

pub use member::member_main;
pub use split::ROWS;
