//! Whether arithmetic in `f32` passes where `f64` is asked for.

use std::collections::BTreeMap;

use benchbook_core::{DType, Implementation, Inputs, Params, Registry, Result, Setting, Subject, Support, Workload};

use crate::common::error;

/// An implementation that says it computes in `f64`, and does so in `f32`.
struct InF32<'a>(&'a dyn Implementation);

impl Implementation for InF32<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn workload(&self) -> &'static str {
        self.0.workload()
    }

    fn about(&self) -> &'static str {
        "another's kernel in f32, whatever it is asked for"
    }

    fn devices(&self) -> Vec<&'static str> {
        self.0.devices()
    }

    fn engine(&self, device: &str) -> (String, String) {
        self.0.engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        self.0.prepare(&Setting { dtype: DType::F32, ..setting.clone() }, params, inputs)
    }
}

/// Every implementation on burn in `f64` on every device of this machine, on the cases of the preset `quick`.
#[test]
fn arithmetic_in_f32_fails_where_f64_is_asked_for_and_f64_passes() {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_engines::register(&mut registry);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    // libtorch's own are no code of ours.
    for implementation in registry.implementations().filter(|one| !one.name().starts_with("torch-")) {
        let workload: &dyn Workload = registry.find_workload(implementation.workload()).unwrap();
        let quick = workload.presets().remove(0).cases;
        for device in implementation.devices() {
            if benchbook_engines::probe(device).is_some() {
                continue;
            }
            for params in quick.iter().map(|given| workload.case(given.clone()).unwrap().params) {
                if implementation.supports(device, DType::F64, &params) != Support::Yes {
                    continue;
                }
                let bound = workload.tolerance(&params, DType::F64);
                let honest = error(workload, implementation, device, DType::F64, &params);
                let planted = error(workload, &InF32(implementation), device, DType::F64, &params);
                let name = format!("{} {} on {device}, {params}", workload.name(), implementation.name());
                assert!(honest <= bound, "{name}: {honest:e}, allowed are {bound:e}");
                assert!(planted > bound, "{name}: {planted:e} of arithmetic in f32, allowed are {bound:e}");
                *seen.entry(workload.name()).or_default() += 1;
            }
        }
    }
    let mut wanted = vec![
        "attention",
        "attention-gradients",
        "contextual-attention",
        "matmul",
        "paged-attention",
        "programmable-attention",
        "window-attention",
    ];
    if benchbook_engines::probe("libtorch").is_none() {
        wanted.push("projected-attention");
        wanted.sort_unstable();
    }
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), wanted, "{seen:?}");
}
