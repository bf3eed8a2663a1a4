//! Matrix multiplication: a product by hand.

use benchbook_core::{Array, DType, Inputs, Problem};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

#[test]
fn a_known_product() {
    // [1 2; 3 4] · [5 6; 7 8] = [19 22; 43 50], by hand.
    let params = MatmulParams { m: 2, n: 2, k: 2 };
    let factor = |numbers: [f32; 4]| Array::new(vec![2, 2], &numbers);
    let inputs = Inputs::from([("a", factor([1.0, 2.0, 3.0, 4.0])), ("b", factor([5.0, 6.0, 7.0, 8.0]))]);
    assert_eq!(Matmul::reference(&params, &inputs, 0).answers[0].values, [19.0, 22.0, 43.0, 50.0]);
    let work = Matmul::work(&params, DType::F32);
    assert_eq!((work.flops, work.bytes), (16.0, 48.0));
}
