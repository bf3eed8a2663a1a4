//! The roofs: a copy is the same numbers, and every step of a chain is done.

use benchbook_core::{DType, Implementation, Params, Setting, Value, Workload};
use benchbook_kernels::arithmetic::{Chains, Fma};
use benchbook_kernels::memory::{Chunks, Copy};

use crate::common::{case, wrong};

#[test]
fn a_copy_is_exact_and_counts_both_ways() {
    let case = Copy.case(Params::default().with("mib", Value::Int(3))).unwrap();
    let inputs = Copy.inputs(&case.params, 5);
    let reference = Copy.reference(&case.params, &inputs, 5);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 3, copies: 2 };
    let mut subject = Chunks.prepare(&setting, &case.params, &inputs).unwrap();
    assert!(subject.output().is_err(), "there is no result before the first call");
    subject.run(2);
    let output = subject.output().unwrap();
    assert_eq!(reference.compare(&output).max_abs_error, 0.0);
    assert_eq!(output, *inputs.get("from"));
    assert_eq!(Copy.work(&case.params, DType::F32).bytes, 2.0 * 3.0 * 1_048_576.0);
    assert!(Copy.case(Params::default().with("mib", Value::Int(0))).is_err());
}

#[test]
fn chains_take_every_step() {
    let params = case(&Fma, &[("tasks", 3)]);
    let work = Fma.work(&params, DType::F32);
    assert_eq!(work.flops, 2.0 * 4096.0 * 3.0 * 384.0);
    let one_step = f64::exp(-1.0) / 4096.0;
    assert!(Fma.tolerance(&params, DType::F32) < 4.0 * one_step, "a few missing steps must show");
    assert_eq!(wrong(&Fma, &[&Chains], &params, Fma.tolerance(&params, DType::F32)), None);
    assert!(Fma.case(Params::default().with("tasks", Value::Int(0))).is_err());
}
