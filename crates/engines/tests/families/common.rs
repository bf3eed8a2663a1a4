//! What the tests of the families do: a case, an implementation on a device, its error.

use benchbook_core::{DType, Implementation, Inputs, Params, Registry, Setting, Support, Value, Workload};

/// Seed of all inputs.
pub const SEED: u64 = 9;

/// Everything that this build registers.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    benchbook_workloads::register(&mut registry);
    benchbook_engines::register(&mut registry);
    registry
}

/// The parameters of a case with these sizes.
pub fn case(workload: &dyn Workload, sizes: &[(&str, i64)]) -> Params {
    let params = sizes.iter().fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(*size)));
    workload.case(params).unwrap().params
}

/// Asks for an implementation on one thread, with two copies of the inputs.
pub fn setting(device: &str, dtype: DType) -> Setting {
    Setting { device: device.into(), dtype, threads: 1, copies: 2 }
}

/// Largest error of an implementation on these inputs of a complete case, as a share of the largest right answer.
pub fn error(
    workload: &dyn Workload,
    implementation: &dyn Implementation,
    setting: &Setting,
    params: &Params,
    inputs: &Inputs,
) -> f64 {
    assert_eq!(implementation.supports(&setting.device, setting.dtype, params), Support::Yes);
    let approximation = implementation.approximation(params, inputs, SEED);
    let right = approximation.unwrap_or_else(|| workload.pose(params).unwrap().reference(inputs, SEED));
    let mut subject = implementation.prepare(setting, params, inputs).unwrap();
    subject.run(1);
    subject.sync().unwrap();
    let found = right.compare(&subject.outputs().unwrap());
    let shares = right.answers.iter().zip(found).map(|(answer, found)| {
        found.max_abs_error / answer.values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()))
    });
    // Not `f64::max`, which would lose what is no number.
    shares.fold(0.0, |largest, share| if share <= largest { largest } else { share })
}
