//! What a worker of known work offers.

use benchbook_core::Registry;

use super::gemm::{self, Gemm};
use super::steps::{self, Steps};
use crate::Host;

/// Known work behind the worker protocol.
pub fn host() -> Host {
    let mut registry = Registry::default();
    registry.workload(Steps).workload(Gemm);
    for row in steps::ROWS {
        registry.implementation(row);
    }
    for row in gemm::ROWS {
        registry.implementation(row);
    }
    Host::new(registry, |_| None, Vec::new(), Vec::new)
}

/// Known work runs on the measuring thread alone, so there is nothing to set.
///
/// # Errors
/// None.
pub fn set_threads(_threads: usize) -> std::result::Result<(), String> {
    Ok(())
}
