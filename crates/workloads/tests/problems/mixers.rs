//! Mixers: the references, step by step, against PyTorch by all pairs of steps, and work by hand.

use benchbook_core::{DType, Problem};
use benchbook_workloads::mixers::{
    CausalConv, CausalConvParams, HybridStack, HybridStackParams, Retention, RetentionParams, Rwkv4, Rwkv4Params,
    Rwkv6, Rwkv6Params, Rwkv7, Rwkv7Params, SelectiveScan, SelectiveScanGradients, SelectiveScanParams, Ssd, SsdParams,
};

use crate::pytorch::agrees;

#[test]
fn references_agree_with_pytorch() {
    let fixture = serde_json::from_str(include_str!("../../fixtures/mixers.json")).unwrap();
    agrees::<SelectiveScan>(&fixture);
    agrees::<CausalConv>(&fixture);
    agrees::<Ssd>(&fixture);
    agrees::<Retention>(&fixture);
    agrees::<Rwkv4>(&fixture);
    agrees::<Rwkv6>(&fixture);
    agrees::<Rwkv7>(&fixture);
    agrees::<HybridStack>(&fixture);
    agrees::<SelectiveScanGradients>(&fixture);
}

#[test]
fn a_large_case_is_checked_by_some_heads_or_steps() {
    let params = SsdParams { seq: 600, ..SsdParams::default() };
    let answers = Ssd::reference(&params, &Ssd::inputs(&params, 3), 3).answers;
    assert_eq!((&answers[0].shape[..], &answers[1].shape[..]), (&[1, 600, 24, 64][..], &[1, 24, 64, 128][..]));
    let heads = answers[0].rows.len() / 600;
    assert!((2..24).contains(&heads) && answers[1].rows.len() == heads * 64, "{heads} heads");
    assert!(answers.iter().all(|answer| answer.rows.windows(2).all(|pair| pair[0] < pair[1])), "rows ascend");
    let params = SelectiveScanParams { seq: 3000, channels: 700, state: 1, ..SelectiveScanParams::default() };
    let answers = SelectiveScan::reference(&params, &SelectiveScan::inputs(&params, 3), 3).answers;
    let rows = &answers[0].rows;
    assert!((16..3000).contains(&rows.len()) && rows[0] == 0 && rows[rows.len() - 1] == 2999, "{}", rows.len());
    assert_eq!((answers[1].rows.len(), answers[0].values.len()), (700, rows.len() * 700));
}

#[test]
fn steps_and_channels_of_rwkv_forget_all_or_nothing() {
    let six = Rwkv6Params { batch: 1, seq: 3, heads: 1, head_dim: 2, extreme: true };
    let inputs = Rwkv6::inputs(&six, 3);
    let [k, v] = ["k", "v"].map(|name| inputs.numbers(name));
    let added = |step: usize, at: usize| f64::from(k[2 * step + at / 2]) * f64::from(v[2 * step + at % 2]);
    let answers = Rwkv6::reference(&six, &inputs, 3).answers;
    for (at, state) in answers[1].values.iter().enumerate() {
        // The second step leaves nothing, and the third all.
        assert!((state - added(1, at) - added(2, at)).abs() < 1e-12, "{at}: {state}");
    }
    let four = Rwkv4Params { batch: 1, seq: 5, channels: 3, extreme: true };
    let inputs = Rwkv4::inputs(&four, 3);
    let [k, v, start] = ["k", "v", "start"].map(|name| inputs.numbers(name));
    let answers = Rwkv4::reference(&four, &inputs, 3).answers;
    let (state, number) = (&answers[1].values, |from: &[f32], at: usize| f64::from(from[at]));
    // The second channel knows its last step alone, and the third knows all of them.
    assert!((state[2] - number(v, 4 * 3 + 1)).abs() < 1e-12, "{state:?}");
    assert!((state[3] - number(k, 4 * 3 + 1)).abs() < 1e-12, "{state:?}");
    let all: f64 = (0..5).map(|step| number(k, step * 3 + 2).exp()).sum::<f64>() + number(start, 5).exp();
    assert!((state[5] - all.ln()).abs() < 1e-12, "{state:?}");
    let seven = Rwkv7Params { batch: 1, seq: 3, heads: 1, head_dim: 2, extreme: true };
    let inputs = Rwkv7::inputs(&seven, 3);
    for name in ["w", "a"] {
        let numbers = inputs.numbers(name);
        assert!(numbers[2] > 200.0 && numbers[4] < -200.0 && numbers[0].abs() < 10.0, "{name}: {numbers:?}");
    }
    assert!(inputs.numbers("v")[0].is_subnormal());
}

#[test]
fn the_label_of_a_stack_names_its_experts_where_they_are_others() {
    let label = |experts: usize, chosen: usize| {
        HybridStack::label(&HybridStackParams { experts, chosen, ..HybridStackParams::default() })
    };
    assert_eq!(label(8, 2), "MMMA b1 s512 h4 d64 n64");
    assert_eq!([label(8, 1), label(9, 2)], ["1 of 8", "2 of 9"].map(|end| format!("MMMA b1 s512 h4 d64 n64 {end}")));
}

#[test]
fn what_steps_of_rwkv_leave_is_told_by_three_of_all_decays() {
    let four = Rwkv4Params { batch: 1, seq: 1, channels: 21, extreme: false };
    let told = Rwkv4::metrics(&four, &Rwkv4::inputs(&four, 3));
    assert_eq!([0, 1, 2].map(|place| told[place].name.as_str()), ["decay_p05", "decay_p50", "decay_p95"]);
    // The channels fade faster from the first to the last: by e^−5, e^(−5 + 8 / 21) and so on a step.
    for (metric, channel) in told.iter().zip([19.0, 10.0, 1.0]) {
        let left = (-(-5.0 + 8.0 * channel / 21.0_f64).exp()).exp();
        assert!((metric.value - left).abs() < 1e-6 && metric.unit == "share", "{metric:?}, {left}");
    }
    let six = Rwkv6Params { batch: 1, seq: 50, heads: 1, head_dim: 40, extreme: false };
    let [low, middle, high] = [0, 1, 2].map(|place| Rwkv6::metrics(&six, &Rwkv6::inputs(&six, 3))[place].value);
    // Of normal numbers around −3, whose 5th percentile lies 1.645 deviations below.
    let right = [-1.355_f64, -3.0, -4.645].map(|number| (-number.exp()).exp());
    assert!(
        [low, middle, high].iter().zip(right).all(|(told, right)| (told - right).abs() < 0.03),
        "{low} {middle} {high}"
    );
    let seven = Rwkv7Params { batch: 1, seq: 50, heads: 1, head_dim: 40, extreme: false };
    let [low, middle, high] = [0, 1, 2].map(|place| Rwkv7::metrics(&seven, &Rwkv7::inputs(&seven, 3))[place].value);
    let right = [1.645_f64, 0.0, -1.645].map(|number| (-(-0.5_f64).exp() / (1.0 + (-number).exp())).exp());
    assert!(
        [low, middle, high].iter().zip(right).all(|(told, right)| (told - right).abs() < 0.03),
        "{low} {middle} {high}"
    );
}

#[test]
fn work_is_counted_by_state_and_step() {
    let scan = SelectiveScanParams { batch: 2, seq: 3, channels: 5, state: 7, extreme: false };
    let work = SelectiveScan::work(&scan, DType::F32);
    // Six steps of five channels; x, Δ, z and y, B and C, both states, A, and the bias and D.
    assert_eq!((work.flops, work.bytes), (30.0 * 58.0, 4.0 * (120.0 + 84.0 + 140.0 + 35.0 + 10.0)));
    let conv = CausalConvParams { batch: 2, seq: 3, channels: 5, width: 4, silu: false };
    let work = CausalConv::work(&conv, DType::F32);
    assert_eq!((work.flops, work.bytes), (30.0 * 8.0, 4.0 * 5.0 * (2.0 * 2.0 * 6.0 + 5.0)));
    // One step: a score, a value, and the state read and written.
    let one = SsdParams { batch: 1, seq: 1, heads: 2, head_dim: 3, groups: 1, state: 5, extreme: false };
    assert_eq!(Ssd::work(&one, DType::F32).flops, 2.0 * (5.0 + 6.0 + 2.0 * 2.0 * 15.0));
    let plain = RetentionParams { seq: 1, heads: 2, key_dim: 3, value_dim: 5, ..RetentionParams::default() };
    assert_eq!(Retention::work(&plain, DType::F32).bytes, 4.0 * 2.0 * (16.0 + 30.0));
    let six = Rwkv6Params { batch: 1, seq: 4, heads: 2, head_dim: 3, extreme: false };
    assert_eq!(Rwkv6::work(&six, DType::F32).flops, 5.0 * 4.0 * 2.0 * 9.0);
    let four = Rwkv4Params { batch: 1, seq: 4, channels: 3, extreme: false };
    assert_eq!(Rwkv4::work(&four, DType::F64).bytes, 8.0 * (60.0 + 6.0));
    // Four products by [6, 6], what each of three positions sees twice, and 3 · 6 · 16 numbers between.
    let stack =
        HybridStackParams { seq: 3, pattern: "AF".to_owned(), heads: 2, head_dim: 3, ..HybridStackParams::default() };
    let work = HybridStack::work(&stack, DType::F32);
    assert_eq!(work.flops, 2.0 * 3.0 * (4.0 * 36.0 + 3.0 * 6.0 * 16.0) + 2.0 * 2.0 * 6.0 * (1.0 + 2.0 + 3.0));
    assert_eq!(work.bytes, 4.0 * (2.0 * 18.0 + 4.0 * 36.0 + 3.0 * 6.0 * 16.0 + 2.0 * 6.0));
    // A position reads a router of eight and two of the experts, and says which.
    let one = HybridStackParams { seq: 1, pattern: "E".to_owned(), ..stack };
    let (work, expert) = (HybridStack::work(&one, DType::F32), 3.0 * 6.0 * 16.0);
    assert_eq!(work.flops, 2.0 * (48.0 + 2.0 * expert));
    assert_eq!(work.bytes, 4.0 * (2.0 * 6.0 + 48.0 + 6.0 + 2.0 * expert + 2.0));
    assert_eq!(HybridStack::metrics(&one, &HybridStack::inputs(&one, 3))[0].value, 48.0 + 6.0 + 8.0 * expert);
}
