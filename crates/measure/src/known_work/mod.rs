//! Work of known length: programs that are equal, and programs that differ by a known share.
//!
//! Nothing here needs burn or libtorch, so that a worker starts in milliseconds.

mod gemm;
mod steps;
mod work;

use benchbook_core::{DType, Inputs, Problem, Registry, Result, Row, Setting, Subject};

use self::gemm::Gemm;
use self::steps::Steps;
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

/// The device of work that needs no library of tensors.
const DEVICE: &str = "cpu";

/// Sets up the work of a case.
type Prepare<P> = fn(&'static str, &Setting, &<P as Problem>::Params, &Inputs) -> Result<Box<dyn Subject>>;

/// The work asked for.
const fn plain<P: Problem>(prepare: Prepare<P>) -> Row<P> {
    Row::new("plain", "the work asked for", &[DEVICE], &[DType::F32], engine, prepare)
}

/// The same, and the extra share on top.
const fn extra<P: Problem>(prepare: Prepare<P>) -> Row<P> {
    Row::new("extra", "the work asked for, and the extra share on top", &[DEVICE], &[DType::F32], engine, prepare)
}

fn engine(_device: &str) -> (String, String) {
    ("benchbook".into(), env!("CARGO_PKG_VERSION").into())
}

#[cfg(test)]
mod tests {
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
