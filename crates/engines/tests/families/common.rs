//! What the test of every family does: a case, an implementation on a device, its error.

use benchbook_core::{DType, Implementation, Inputs, Params, Setting, Support, Value, Workload};
use burn::tensor::bf16;

/// Seed of all inputs.
const SEED: u64 = 9;

/// The parameters of a case with these sizes.
pub fn case(workload: &dyn Workload, sizes: &[(&str, i64)]) -> Params {
    let params = sizes.iter().fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(*size)));
    workload.case(params).unwrap().params
}

/// The inputs of a case, rounded where the dtype rounds them: what is left is the error of the computation.
fn inputs(workload: &dyn Workload, params: &Params, dtype: DType) -> Inputs {
    let mut inputs = workload.inputs(params, SEED);
    let numbers =
        inputs.0.iter_mut().filter(|(name, _)| ["query", "key", "value"].iter().any(|part| name.starts_with(part)));
    if dtype == DType::Bf16 {
        numbers.flat_map(|(_, array)| &mut array.data).for_each(|number| *number = bf16::from_f32(*number).to_f32());
    }
    inputs
}

/// Largest error of an implementation, as a share of the largest right answer.
pub fn error(
    workload: &dyn Workload,
    implementation: &dyn Implementation,
    device: &str,
    dtype: DType,
    params: &Params,
) -> f64 {
    let params = &workload.case(params.clone()).unwrap().params;
    let inputs = inputs(workload, params, dtype);
    let reference = implementation
        .approximation(params, &inputs, SEED)
        .unwrap_or_else(|| workload.reference(params, &inputs, SEED));
    let setting = Setting { device: device.into(), dtype, threads: 1, copies: 2 };
    assert_eq!(implementation.supports(device, dtype, params), Support::Yes);
    let mut subject = implementation.prepare(&setting, params, &inputs).unwrap();
    assert!(subject.output().is_err(), "there is no result before the first call");
    subject.run(3);
    subject.sync().unwrap();
    reference.compare(&subject.output().unwrap()).max_scaled_error
}

/// The first implementation, on any device of this machine, that is not within `bound` in `f32`.
pub fn wrong(
    workload: &dyn Workload,
    implementations: &[&dyn Implementation],
    params: &Params,
    bound: f64,
) -> Option<String> {
    for implementation in implementations {
        for device in implementation.devices() {
            if benchbook_engines::probe(device).is_some() {
                continue;
            }
            let error = error(workload, *implementation, device, DType::F32, params);
            if error.is_nan() || error > bound {
                return Some(format!("{} on {device}, {params}: {error}", implementation.name()));
            }
        }
    }
    None
}
