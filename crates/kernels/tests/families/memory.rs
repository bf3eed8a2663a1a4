//! A copy is the same numbers.

use benchbook_core::{DType, Implementation, Params, Setting, Value, Workload};
use benchbook_kernels::memory::{Chunks, Copy};

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
