//! Attention with positions that depend on context.

mod composed;
mod inputs;
mod kernel;

pub use composed::ComposedContextual;
pub use inputs::ContextualInputs;
pub use kernel::FusedContextual;
