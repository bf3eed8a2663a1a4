//! Sliding-window attention with rotary positions.

mod composed;
mod inputs;
mod kernel;
mod reference;
mod workload;

pub use composed::ComposedWindow;
pub use inputs::WindowInputs;
pub use kernel::FusedWindow;
pub use workload::WindowAttention;
