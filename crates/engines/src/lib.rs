//! Engines as implementations: burn with our own kernels, rings of workers, and other people's engines.
//!
//! Each runs a workload on the inputs that everyone gets, and is checked against the same reference. Nothing here reads a
//! clock: a kernel is prepared and called, never timed.

mod angles;
pub mod flex;
#[cfg(feature = "libtorch")]
mod libtorch;
mod register;
pub mod ring;

pub use register::{build_facts, libraries, own_process, probe, register, set_threads, settle, thread_pools};
