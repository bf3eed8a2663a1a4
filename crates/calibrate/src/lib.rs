//! What this machine can see: work of known length, measured against itself.
//!
//! Programs that are equal show how often a difference is claimed that is none; programs that differ by a
//! known share show what is found. Nothing here needs burn or libtorch, so that a worker starts in milliseconds.

mod error;
mod gemm;
mod host;
mod implementation;
mod plan;
mod read;
mod steps;
pub mod work;

pub use error::{Error, Result};
pub use host::{host, set_threads};
pub use plan::{SUITE, plan};
pub use read::{Calibration, SECONDS, read};
