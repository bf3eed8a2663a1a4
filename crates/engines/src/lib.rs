//! Other people's engines as implementations.
//!
//! Each adapter runs a workload on the inputs that everyone gets, and is checked against the same
//! reference. Nothing here is needed by another library.

#[cfg(feature = "libtorch")]
mod libtorch;
mod register;

pub use register::{build_facts, own_process, probe, register, set_threads, settle, thread_pools};
