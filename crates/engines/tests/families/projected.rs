//! Attention with its projections: many blocks of positions, and what the kernel refuses.

use benchbook_core::{DType, Implementation, Value, Workload};
use benchbook_engines::flex::attention::heads;
use benchbook_engines::flex::attention::projected::FUSED;
use benchbook_engines::flex::fused::{projected_attention, projections};
use benchbook_workloads::attention::ProjectedAttention;
use burn::tensor::{Device, Tensor};

use crate::common::{SEED, case, error, setting};

#[test]
fn several_long_sequences_are_right() {
    let sizes = [("batch", 5), ("heads", 8), ("kv_heads", 4), ("seq", 512), ("head_dim", 64)];
    let params = case(&ProjectedAttention, &sizes).with("causal", Value::Bool(true));
    let inputs = ProjectedAttention.pose(&params).unwrap().inputs(SEED);
    let error = error(&ProjectedAttention, &FUSED, &setting("flex", DType::F32), &params, &inputs);
    assert!(error <= 1e-5, "{} is off by {error:e}", FUSED.name());
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let of = |rows: usize, columns: usize| Tensor::<2>::ones([rows, columns], &device);
    let (square, narrow) = (of(24, 24), of(24, 12));
    let asked = |heads: [usize; 2], [query, key, value, out]: [&Tensor<2>; 4]| {
        projections(heads, [query, key, value, out]).map_err(|error| error.to_string())
    };
    let weights = asked([4, 2], [&square, &narrow, &narrow, &square]).unwrap();
    for (heads, weights) in [
        ([4, 2], [&square, &of(12, 24), &narrow, &square]),
        ([4, 4], [&square, &narrow, &narrow, &square]),
        ([5, 1], [&square, &narrow, &narrow, &square]),
        ([0, 0], [&square, &narrow, &narrow, &square]),
        ([4, 2], [&square, &narrow, &narrow, &of(24, 23)]),
    ] {
        let message = asked(heads, weights).unwrap_err();
        assert!(message.contains("do not fit") && message.contains("[24, 24]"), "{message}");
    }
    // Eight numbers a head: 16 of them are two thirds of a group.
    let uneven = of(24, 16);
    let message = asked([3, 2], [&square, &uneven, &uneven, &square]).unwrap_err();
    assert!(message.contains("3 query heads cannot share 2"), "{message}");

    let input = |width: usize| Tensor::<3>::ones([2, 3, width], &device);
    assert_eq!(projected_attention(input(24), &weights, true).unwrap().dims(), [2, 3, 24]);
    let message = projected_attention(input(23), &weights, true).unwrap_err().to_string();
    assert!(message.contains("[2, 3, 23]") && message.contains("24"), "{message}");
    let tracked = Tensor::<3>::ones([2, 3, 24], &device.autodiff());
    let message = projected_attention(tracked, &weights, true).unwrap_err().to_string();
    assert!(message.contains("gradients"), "{message}");
}

#[test]
fn the_heads_of_the_smallest_weights_are_left_out() {
    // Four heads of keys with two of queries each, of which the second has small weights everywhere.
    let sizes = [("heads", 8), ("kv_heads", 4), ("seq", 40), ("head_dim", 16)];
    let (params, setting) = (case(&ProjectedAttention, &sizes), setting("flex", DType::F32));
    let posed = ProjectedAttention.pose(&params).unwrap();
    let mut inputs = posed.inputs(SEED);
    for (name, width, rows) in [("w_query", 32, 1), ("w_key", 16, 1), ("w_value", 16, 1), ("w_out", 1, 32 * 128)] {
        for (at, weight) in inputs.get_mut(name).unwrap().of_mut::<f32>().iter_mut().enumerate() {
            // By columns of all others, by rows of the last.
            let head = if rows == 1 { at % (4 * width) / width } else { at / rows };
            *weight *= if head == 1 { 1e-3 } else { 1.0 };
        }
    }
    let exact = posed.reference(&inputs, SEED);
    for (row, kept) in heads::ROWS.into_iter().zip([3.0, 2.0]) {
        let mut subject = row.prepare(&setting, &params, &inputs).unwrap();
        subject.run(1);
        subject.sync().unwrap();
        let outputs = subject.outputs().unwrap();
        let off = row.approximation(&params, &inputs, SEED).unwrap().compare(&outputs)[0].max_scaled_error;
        assert!(off <= posed.tolerance(DType::F32), "{} is off by {off:e}", row.name);
        let lost = exact.distance(&outputs);
        assert_eq!(lost < 1e-4, kept == 3.0, "{} loses {lost}", row.name);
        let metrics = subject.metrics();
        let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
        // Of each head of keys: its queries, keys, values and results.
        assert_eq!(of("weight_bytes"), Some(4.0 * kept * 128.0 * (32.0 + 16.0 + 16.0 + 32.0)), "{}", row.name);
        let share = of("own_flops").unwrap() / posed.work(DType::F32).flops;
        assert!((share - kept / 4.0).abs() < 1e-12, "{}: {share}", row.name);
        let mut write = |name: &str| subject.write(name, 0, &[1.0; 128]).unwrap();
        assert_eq!([write("input"), write("w_query"), write("w_out")], [true, false, false], "{}", row.name);
    }
}
