//! Mixers in linear time: recurrences with a state of fixed size, the convolution before them, and stacks of layers.

mod conv;
mod draw;
mod hybrid;
mod retention;
mod rows;
mod rwkv4;
mod rwkv6;
mod rwkv7;
mod scan;
mod scan_gradients;
mod ssd;

pub use conv::{CausalConv, CausalConvParams};
pub use hybrid::{HybridStack, HybridStackParams, LayerKind, SCAN_STATE, TAPS};
pub use retention::{Retention, RetentionParams};
pub use rwkv4::{Rwkv4, Rwkv4Params};
pub use rwkv6::{Rwkv6, Rwkv6Params};
pub use rwkv7::{Rwkv7, Rwkv7Params};
pub use scan::{SelectiveScan, SelectiveScanParams};
pub use scan_gradients::SelectiveScanGradients;
pub use ssd::{Ssd, SsdParams};

/// Steps of the chunk by which work is counted.
const CHUNK: usize = 64;
