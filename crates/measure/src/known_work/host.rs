//! What a worker of known work offers.

use benchbook_core::{Registry, Workload};

use super::gemm::Gemm;
use super::implementation::Known;
use super::steps::Steps;
use crate::Host;

/// Known work behind the worker protocol.
pub fn host() -> Host {
    let mut registry = Registry::default();
    register(&mut registry, Steps);
    register(&mut registry, Gemm);
    Host::new(registry, |_| None, Vec::new(), Vec::new)
}

fn register(registry: &mut Registry, workload: impl Workload + 'static) {
    let name = workload.name();
    registry.workload(workload);
    for extra in [false, true] {
        registry.implementation(Known { workload: name, extra });
    }
}

/// Known work runs on the measuring thread alone, so there is nothing to set.
///
/// # Errors
/// None.
pub fn set_threads(_threads: usize) -> std::result::Result<(), String> {
    Ok(())
}
