//! Convolutions by fewer weights: exact where the kernels have no more in them, and what they hold.

use benchbook_core::{Array, DType, Implementation, Inputs, Params, Row, Support, Workload};
use benchbook_engines::flex::decomposed;
use benchbook_workloads::blocks::Conv2d;

use crate::common::{SEED, case, setting};

/// A convolution of 8 channels to 6 with these kernels, by their output, input and tap.
fn posed(kernel: impl Fn([usize; 3]) -> f32) -> (Params, Inputs) {
    let params = case(&Conv2d, &[("in_channels", 8), ("out_channels", 6), ("height", 9), ("width", 7)]);
    let mut inputs = Conv2d.pose(&params).unwrap().inputs(SEED);
    let kernels: Vec<f32> = (0..6 * 8 * 9).map(|at| kernel([at / 72, at / 9 % 8, at % 9])).collect();
    inputs.insert("weight", Array::new(vec![6, 8, 3, 3], &kernels));
    (params, inputs)
}

/// What a row loses, and the bytes of its weights.
fn measured(row: &Row<Conv2d>, (params, inputs): &(Params, Inputs)) -> (f64, f64) {
    let posed = Conv2d.pose(params).unwrap();
    let mut subject = row.prepare(&setting("flex", DType::F32), params, inputs).unwrap();
    subject.run(1);
    subject.sync().unwrap();
    let outputs = subject.outputs().unwrap();
    let right = row.approximation(params, inputs, SEED).unwrap();
    let off = right.compare(&outputs)[0].max_scaled_error;
    assert!(off <= posed.tolerance(DType::F32), "{} is off by {off:e}", row.name);
    let bytes = subject.metrics().into_iter().find(|metric| metric.name == "weight_bytes").unwrap().value;
    assert!(!subject.write("weight", 0, &[1.0; 3]).unwrap() && subject.write("bias", 0, &[1.0; 6]).unwrap());
    (posed.reference(inputs, SEED).distance(&outputs), bytes)
}

#[test]
fn kernels_that_have_no_more_in_them_lose_nothing() {
    let [tucker, canonical] = decomposed::ROWS;
    let drawn = Array::normal(vec![3, 4, 9], SEED, 7);
    let drawn = |[to, from, tap]: [usize; 3]| drawn.of::<f32>()[(to * 4 + from) * 9 + tap];
    // Of six outputs three are different, and half of the inputs are not looked at.
    let half = posed(|[to, from, tap]| if from < 4 { drawn([to % 3, from, tap]) } else { 0.0 });
    let (lost, bytes) = measured(&tucker, &half);
    assert!(lost < 1e-5, "{lost}");
    assert_eq!(bytes, 4.0 * (4.0 * 8.0 + 3.0 * 4.0 * 9.0 + 6.0 * 3.0));
    // One product of three vectors; the ridge takes a hundredth.
    let single = posed(|at| at.iter().zip([1.0, 2.0, 3.0]).map(|(at, step)| (*at as f32 * step + 0.5).cos()).product());
    let (lost, bytes) = measured(&canonical, &single);
    assert!(lost < 0.02, "{lost}");
    // 432 weights by 4 · 23: four components.
    assert_eq!(bytes, 4.0 * 4.0 * 23.0);
    let any = posed(|[to, from, tap]| drawn([to % 3, from % 4, tap]) + drawn([2 - to % 3, 3 - from % 4, 8 - tap]));
    let lost = measured(&canonical, &any).0;
    assert!((0.1..1.0).contains(&lost), "a quarter of the weights hold {lost} less");
}

#[test]
fn channels_that_are_apart_are_refused() {
    let refused = |sizes: &[(&str, i64)], part: &str| {
        let params = case(&Conv2d, sizes);
        for row in decomposed::ROWS {
            let Support::No(reason) = row.supports("flex", DType::F32, &params) else {
                panic!("{} takes it", row.name)
            };
            assert!(reason.contains(part), "{reason}");
            let inputs = Conv2d.pose(&params).unwrap().inputs(SEED);
            assert!(row.approximation(&params, &inputs, SEED).is_none(), "{}", row.name);
        }
    };
    refused(&[("groups", 4), ("height", 5), ("width", 5)], "4 groups are apart already");
    refused(&[("in_channels", 512), ("out_channels", 512), ("height", 3), ("width", 3)], "2359296 weights");
}
