//! Notebooks as files: their cells, their parameters.

mod document;
mod parameters;
mod value;

pub use document::{Cell, Document};
pub use parameters::injected;
