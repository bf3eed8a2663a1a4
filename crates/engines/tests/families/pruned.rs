//! Products by weights that are left out, or of low rank, and networks without some channels: what they are checked against, what
//! they lose, and what they hold.

use benchbook_core::{Array, DType, Implementation, Inputs, Params, Row, Setting, Subject, Support, Workload};
use benchbook_engines::flex::blocks;
use benchbook_engines::flex::low_rank::LOW_RANK;
use benchbook_engines::flex::matmul::TILED;
use benchbook_engines::flex::pruned;
use benchbook_workloads::blocks::Mlp;
use benchbook_workloads::matmul::Matmul;

use crate::common::{SEED, case, setting};

/// A row, the share of a product of normal numbers that it loses, the share of weights that it leaves out, and the bytes of the
/// others in the case of [`sizes`].
struct Known {
    row: Row<Matmul>,
    lost: f64,
    sparsity: Option<f64>,
    bytes: f64,
}

/// What is lost is by simulation: what the smallest of normal numbers, of their blocks and of their rows have of the squares.
fn all() -> Vec<Known> {
    let csr = |percent: u32| 334.0 * 4.0 + 8.0 * f64::from((500 * 333 * (100 - percent)).div_ceil(100));
    let blocks = |percent: u32| 22.0 * 4.0 + 17.0 * 4.0 * f64::from((500 * 21 * (100 - percent)).div_ceil(100));
    let known = |row: Row<Matmul>| {
        let (lost, sparsity, bytes) = match row.name {
            "csr-50" => (0.268, Some(0.5), csr(50)),
            "csr-70" => (0.466, Some(0.7), csr(70)),
            "csr-90" => (0.750, Some(0.9), csr(90)),
            "csr-95" => (0.850, Some(0.95), csr(95)),
            "blocks16-50" => (0.604, Some(0.5), blocks(50)),
            "blocks16-70" => (0.758, Some(0.7), blocks(70)),
            "blocks16-90" => (0.907, Some(0.9), blocks(90)),
            "channels-25" => (0.477, Some(0.25), 375.0 * 333.0 * 4.0),
            "channels-50" => (0.690, Some(0.5), 250.0 * 333.0 * 4.0),
            "channels-75" => (0.855, Some(0.75), 125.0 * 333.0 * 4.0),
            // 512 steps: blocks of 32.
            "2of4" => (0.362, Some(0.5), 333.0 * 16.0 * 17.0 * 4.0),
            "2of4-int8" => (0.362, Some(0.5), 333.0 * 16.0 * 5.0 * 4.0 + 333.0 * 4.0),
            "low-rank-8th" => (0.825, None, (500.0 + 333.0) * 41.0 * 4.0),
            other => panic!("what {other} loses and holds is not known here"),
        };
        Known { row, lost, sparsity, bytes }
    };
    pruned::ROWS.into_iter().chain([LOW_RANK]).map(known).collect()
}

/// Sizes that fill neither blocks nor tiles.
fn sizes() -> Params {
    case(&Matmul, &[("m", 5), ("n", 333), ("k", 500)])
}

/// An implementation that has run once on the inputs of a case.
fn run(implementation: &dyn Implementation, setting: &Setting, params: &Params, inputs: &Inputs) -> Box<dyn Subject> {
    let mut subject = implementation.prepare(setting, params, inputs).unwrap();
    subject.run(1);
    subject.sync().unwrap();
    subject
}

#[test]
fn what_is_lost_is_what_is_left_out() {
    let (params, setting) = (sizes(), setting("flex", DType::F32));
    let posed = Matmul.pose(&params).unwrap();
    let (inputs, tolerance) = (posed.inputs(SEED), posed.tolerance(DType::F32));
    let exact = posed.reference(&inputs, SEED);
    let whole = run(&TILED, &setting, &params, &inputs).outputs().unwrap();
    for Known { row, lost, .. } in all() {
        let outputs = run(&row, &setting, &params, &inputs).outputs().unwrap();
        let found = exact.distance(&outputs);
        assert!((0.9 * lost..1.1 * lost).contains(&found), "{}: {found}, not about {lost}", row.name);
        let right = row.approximation(&params, &inputs, SEED).unwrap();
        let off = |outputs| right.compare(outputs)[0].max_scaled_error;
        assert!(off(&outputs[..]) <= tolerance && off(&whole[..]) > 1000.0 * tolerance, "{}", row.name);
    }
}

#[test]
fn weights_are_packed_once_and_what_is_kept_is_told() {
    let (params, setting) = (sizes(), setting("flex", DType::F32));
    let inputs = Matmul.pose(&params).unwrap().inputs(SEED);
    for Known { row, sparsity, bytes, .. } in all() {
        let mut subject = run(&row, &setting, &params, &inputs);
        let mut write = |name: &str, width: usize| subject.write(name, 0, &vec![1.0; width]).unwrap();
        assert_eq!([write("a", 500), write("b", 333)], [true, false], "{}", row.name);
        let metrics = subject.metrics();
        let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
        // Columns are filled up to whole panels where two of four are kept.
        let told = of("weight_bytes").unwrap();
        assert!((bytes..=1.07 * bytes).contains(&told), "{}: {told} bytes, not {bytes}", row.name);
        // Blocks of the last columns are narrower than others.
        let near = if row.name.starts_with("blocks") { 0.01 } else { 1e-4 };
        // Of low rank two products of 41 steps and columns.
        let products = of("sparsity").map_or(41.0 * (500.0 + 333.0), |left_out| (1.0 - left_out) * 500.0 * 333.0);
        let flops = of("own_flops").unwrap();
        assert!((flops - 2.0 * 5.0 * products).abs() < 0.5, "{}: {flops}", row.name);
        match (of("sparsity"), sparsity) {
            (Some(found), Some(right)) => assert!((found - right).abs() < near, "{}: {found}, not {right}", row.name),
            (found, right) => assert_eq!(found, right, "{}", row.name),
        }
        assert!(metrics.iter().all(|metric| !metric.measured), "{metrics:?}");
    }
}

#[test]
fn what_takes_long_to_factor_is_refused() {
    let of = |m: i64| LOW_RANK.supports("flex", DType::F32, &case(&Matmul, &[("m", m)]));
    assert_eq!(of(4096), Support::Yes);
    let Support::No(reason) = of(8192) else { panic!("8192 is factored") };
    assert!(reason.contains("68719476736") && reason.contains("8589934592"), "{reason}");
}

/// A network of which every eighth hidden channel, from the second on, has small weights, and every fourth, from the third on,
/// smaller ones than the rest.
fn network(form: &str) -> (Params, Inputs) {
    let params = case(&Mlp, &[("rows", 5), ("width", 24), ("hidden", 80)]).with("form", form.into());
    let mut inputs = Mlp.pose(&params).unwrap().inputs(SEED);
    let size = |channel: usize| match (channel % 8, channel % 4) {
        (1, _) => 1e-3,
        (_, 2) => 0.1,
        _ => 1.0,
    };
    for (name, down) in [("w_up", false), ("w_gate", false), ("w_down", true)] {
        if let Some(weights) = inputs.get_mut(name) {
            let of = |at: usize| if down { at / 24 } else { at % 80 };
            weights.of_mut::<f32>().iter_mut().enumerate().for_each(|(at, weight)| *weight *= size(of(at)));
        }
    }
    (params, inputs)
}

#[test]
fn the_smallest_channels_of_a_network_are_left_out() {
    let setting = setting("flex", DType::F32);
    for (form, matrices) in [("gelu", 2.0), ("swiglu", 3.0)] {
        let (params, inputs) = network(form);
        let posed = Mlp.pose(&params).unwrap();
        let (exact, tolerance) = (posed.reference(&inputs, SEED), posed.tolerance(DType::F32));
        let mut before = 0.0;
        for (row, kept) in blocks::pruned::ROWS.into_iter().zip([70.0, 60.0, 40.0, 20.0]) {
            let mut subject = run(&row, &setting, &params, &inputs);
            let outputs: Vec<Array> = subject.outputs().unwrap();
            let right = row.approximation(&params, &inputs, SEED).unwrap();
            let off = right.compare(&outputs)[0].max_scaled_error;
            assert!(off <= tolerance, "{form} {}: off by {off:e}", row.name);
            // What is first left out is small in both of its matrices, or in all three.
            let lost = exact.distance(&outputs);
            assert!(lost > before, "{form} {} loses {lost}, and less was left out for {before}", row.name);
            assert!(row.name != "channels-8th" || lost < 1e-4, "{form} {} loses {lost}", row.name);
            before = lost;
            let metrics = subject.metrics();
            let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
            let numbers = matrices * 24.0 * kept;
            assert_eq!([of("weight_bytes"), of("own_flops")], [Some(4.0 * numbers), Some(10.0 * numbers)]);
            assert_eq!(of("own_bytes"), Some(4.0 * (numbers + 2.0 * 5.0 * 24.0)), "{form} {}", row.name);
            assert!((of("sparsity").unwrap() - (1.0 - kept / 80.0)).abs() < 1e-12);
            let mut write = |name: &str, width: usize| subject.write(name, 0, &vec![1.0; width]).unwrap();
            assert_eq!([write("input", 24), write("w_up", 80), write("w_down", 24)], [true, false, false]);
        }
    }
}

#[test]
fn weights_of_zero_give_zeros_whatever_is_left_out() {
    let (params, setting) = (sizes(), setting("flex", DType::F32));
    let mut inputs = Matmul.pose(&params).unwrap().inputs(SEED);
    inputs.insert("b", Array::new(vec![500, 333], &[0.0_f32; 500 * 333]));
    for Known { row, .. } in all() {
        let outputs = run(&row, &setting, &params, &inputs).outputs().unwrap();
        assert!(outputs[0].of::<f32>().iter().all(|number| *number == 0.0), "{}", row.name);
    }
}
