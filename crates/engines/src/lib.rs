//! Engines as implementations: burn with our own kernels, rings of workers, and other people's engines.
//!
//! Each runs a workload on the inputs that everyone gets, and is checked against the same reference. Nothing here reads a
//! clock: a kernel is prepared and called, never timed.

mod angles;
#[cfg(feature = "candle")]
mod candle;
pub mod flex;
#[cfg(any(feature = "candle", feature = "onnxruntime"))]
mod hidden;
#[cfg(feature = "libtorch")]
mod libtorch;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;
mod register;
pub mod ring;
#[cfg(any(feature = "candle", feature = "onnxruntime"))]
mod turns;

use std::process::ExitCode;

pub use register::{build_facts, libraries, own_process, probe, register, set_threads, settle, thread_pools};

/// The `main` of a worker that a worker has started, of a ring or of a training, if this program was started as one: its exit code.
/// Nothing otherwise.
///
/// Call it first in the `main` of a worker program.
pub fn member_main() -> Option<ExitCode> {
    let others = flex::training::together::member_main;
    ring::member_main().or_else(others).or_else(flex::training::elsewhere::keeper_main)
}
