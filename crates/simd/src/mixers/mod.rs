//! Mixers of a sequence in linear time: recurrences with a state, and the convolution before them.

mod chunk;
mod conv;
mod linear;
mod panels;
mod retention;
mod rwkv4;
mod rwkv6;
mod rwkv7;
mod scan;
mod scan_backward;
mod ssd;
mod step;

pub use conv::{CausalConv, ConvSize, causal_conv};
pub use retention::{Retention, RetentionSize, Turns, normalised_retention, retention};
pub use rwkv4::{Rwkv4, rwkv4};
pub use rwkv6::{Rwkv6, RwkvSize, rwkv6};
pub use rwkv7::{Rwkv7, rwkv7};
pub use scan::{ScanSize, SelectiveScan, selective_scan};
pub use scan_backward::{ScanGradients, selective_scan_backward};
pub use ssd::{Ssd, SsdSize, ssd};

/// Steps of a chunk that suit most sizes: whole tiles, and a square of scores that stays in a first-level cache.
pub const CHUNK: usize = 64;
