//! The roofs: a copy is the same numbers, each is read, and every step of a chain is done.

use benchbook_core::{DType, Implementation, Setting, Workload};
use benchbook_engines::flex::roofs::{Chains, Chunks, Sums};
use benchbook_workloads::roofs::{Copy, Fma, Read};

use crate::common::{case, wrong};

#[test]
fn a_copy_is_exact() {
    let params = case(&Copy, &[("mib", 3)]);
    let inputs = Copy.inputs(&params, 5);
    let reference = Copy.reference(&params, &inputs, 5);
    let setting = Setting { device: "flex".into(), dtype: DType::F32, threads: 3, copies: 2 };
    let mut subject = Chunks.prepare(&setting, &params, &inputs).unwrap();
    assert!(subject.output().is_err(), "there is no result before the first call");
    subject.run(2);
    let output = subject.output().unwrap();
    assert_eq!(reference.compare(&output).max_abs_error, 0.0);
    assert_eq!(output, *inputs.get("from"));
}

#[test]
fn every_number_is_read() {
    let params = case(&Read, &[("kib", 5 * 64)]);
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
}

#[test]
fn chains_take_every_step() {
    let params = case(&Fma, &[("tasks", 3)]);
    assert_eq!(wrong(&Fma, &[&Chains], &params, Fma.tolerance(&params, DType::F32)), None);
}
