//! Work of known length: programs that are equal, and programs that differ by a known share.
//!
//! Nothing here needs burn or libtorch, so that a worker starts in milliseconds.

mod gemm;
mod host;
mod implementation;
mod steps;
mod work;

#[cfg(test)]
pub(crate) use host::registry;
pub use host::{host, set_threads};
