//! What a worker of known work offers.

use benchbook_core::Registry;

use super::gemm::{self, Gemm};
use super::steps::{self, Steps};
use crate::Host;

/// Known work behind the worker protocol.
pub fn host() -> Host {
    Host::new(registry(), |_| None, Vec::new(), Vec::new)
}

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.workload(Steps).workload(Gemm);
    for row in steps::ROWS {
        registry.implementation(row);
    }
    for row in gemm::ROWS {
        registry.implementation(row);
    }
    registry
}

/// Known work runs on the measuring thread alone, so there is nothing to set.
///
/// # Errors
/// None.
pub fn set_threads(_threads: usize) -> std::result::Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use benchbook_core::{DType, Setting};

    use super::*;
    use crate::executor::passes;

    #[test]
    fn known_work_is_right_on_every_ugly_case() {
        let registry = registry();
        let setting = Setting { device: "cpu".into(), dtype: DType::F32, threads: 1, copies: 1 };
        for row in registry.implementations() {
            let workload = registry.find_workload(row.workload()).unwrap();
            for params in workload.ugly() {
                let case = workload.case(params).unwrap();
                let posed = workload.pose(&case.params).unwrap();
                let inputs = posed.inputs(1);
                let mut subject = row.prepare(&setting, &case.params, &inputs).unwrap();
                subject.run(3);
                let check = posed.reference(&inputs, 1).compare(&subject.outputs().unwrap());
                assert!(passes(&check, posed.tolerance(DType::F32)), "{} of {}: {check:?}", row.name(), case.name);
            }
        }
    }
}
