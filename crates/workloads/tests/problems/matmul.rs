//! Matrix multiplication: a product by hand.

use benchbook_core::{DType, Params, Value, Workload};
use benchbook_workloads::matmul::Matmul;

#[test]
fn a_known_product() {
    // [1 2; 3 4] · [5 6; 7 8] = [19 22; 43 50], by hand.
    let params = Matmul.case(Params::default().with("m", Value::Int(2))).unwrap().params;
    let mut inputs = Matmul.inputs(&params, 0);
    inputs.0.get_mut("a").unwrap().data = vec![1.0, 2.0, 3.0, 4.0];
    inputs.0.get_mut("b").unwrap().data = vec![5.0, 6.0, 7.0, 8.0];
    assert_eq!(Matmul.reference(&params, &inputs, 0).values, [19.0, 22.0, 43.0, 50.0]);
    let work = Matmul.work(&params, DType::F32);
    assert_eq!((work.flops, work.bytes), (16.0, 48.0));
}
