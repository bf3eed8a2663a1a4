//! ONNX Runtime in process, through `ort` (the catalogue's EN6): the library of the Python package onnxruntime, loaded from the
//! project's environment when the first case is prepared.
//!
//! Graphs are made in memory by the runtime's own editor, and optimized by it as those of files are.

mod blocks;
mod bound;
mod graph;
mod library;

pub use blocks::{ATTENTION, EMBEDDING, LAYER_NORM, LINEAR, MATMUL, MLP, RMS_NORM, SOFTMAX};

/// Its device: the Python worker has one that is called `onnxruntime`.
pub const DEVICE: &str = "ort";

/// Why it is not here; nothing where it is.
pub fn probe() -> Option<String> {
    library::library().err().map(str::to_owned)
}

/// The engine's name and version, for the record.
fn engine(_device: &str) -> (String, String) {
    let version = library::library().map_or("not here", |library| library.version.as_str());
    ("onnxruntime".to_owned(), version.to_owned())
}
