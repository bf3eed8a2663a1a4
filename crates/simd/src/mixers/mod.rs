//! Mixers of a sequence in linear time: recurrences with a state, and the convolution before them.

mod conv;
mod isa;
mod math;
mod scan;

pub use conv::{CausalConv, ConvSize, causal_conv};
pub use scan::{ScanSize, SelectiveScan, selective_scan};
