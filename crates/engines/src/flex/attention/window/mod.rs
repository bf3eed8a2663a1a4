//! Sliding-window attention with rotary positions.

mod composed;
mod inputs;
mod kernel;

pub use composed::ComposedWindow;
pub use inputs::WindowInputs;
pub use kernel::FusedWindow;
