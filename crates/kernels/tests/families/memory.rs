//! The roofs: a copy is the same numbers, each is read, and every step of a chain is done.

use benchbook_core::{DType, Implementation, Params, Setting, Value, Workload};
use benchbook_kernels::arithmetic::{Chains, Fma};
use benchbook_kernels::memory::{Chunks, Copy, Read, Sums};

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
fn every_number_is_read() {
    let params = case(&Read, &[("kib", 5 * 64)]);
    assert_eq!(Read.work(&params, DType::F32).bytes, 5.0 * 65_536.0);
    let bound = Read.tolerance(&params, DType::F32);
    assert_eq!(wrong(&Read, &[&Sums], &params, bound), None);
    // A line of the cache that is left out shows.
    let inputs = Read.inputs(&params, 5);
    let mut less = inputs.clone();
    less.0.get_mut("from").unwrap().write(1, &[0.0; 16]);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 2, copies: 1 };
    let mut subject = Sums.prepare(&setting, &params, &less).unwrap();
    subject.run(1);
    let right = Read.reference(&params, &inputs, 5);
    assert!(right.compare(&subject.output().unwrap()).max_scaled_error > 10.0 * bound);
    assert!(subject.write("from", 1, &inputs.get("from").data[16_384..2 * 16_384]).unwrap());
    subject.run(1);
    assert!(right.compare(&subject.output().unwrap()).max_scaled_error <= bound);
    assert!(Read.case(Params::default().with("kib", Value::Int(65))).is_err());
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
