//! Series in the order in which they were measured: correlation, drift, and when they have settled.

mod autocorrelation;
mod chunks;
mod drift;
mod effective;
mod ranks;
mod settled;

pub use autocorrelation::autocorrelation;
pub use drift::{Drift, drift};
pub use effective::effective_sample_size;
pub use settled::settled_from;
