//! Products by weights of four bits: what they are checked against, what they lose, and what they hold.

use benchbook_core::{DType, Implementation, Inputs, Params, Setting, Subject, Support, Workload};
use benchbook_engines::flex::int4::{DEQUANT, LOOP};
use benchbook_engines::flex::matmul::TILED;
use benchbook_workloads::matmul::Matmul;

use crate::common::{SEED, case, setting};

/// Sizes that fill neither groups nor tiles.
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
fn what_is_lost_is_what_rounding_to_sixteen_values_loses() {
    let (params, setting) = (sizes(), setting("flex", DType::F32));
    let posed = Matmul.pose(&params).unwrap();
    let (inputs, tolerance) = (posed.inputs(SEED), posed.tolerance(DType::F32));
    let exact = posed.reference(&inputs, SEED);
    for row in [&LOOP, &DEQUANT] {
        let outputs = run(row, &setting, &params, &inputs).outputs().unwrap();
        // By simulation: the rounding of normal numbers, 32 of them to a scale, is 0.095 of them.
        let lost = exact.distance(&outputs);
        assert!((0.08..0.11).contains(&lost), "{}: {lost}", row.name);
        // A kernel that leaves the rounding out is not the approximation, and neither is it right by accident.
        let right = row.approximation(&params, &inputs, SEED).unwrap();
        let whole = run(&TILED, &setting, &params, &inputs).outputs().unwrap();
        let off = |outputs| right.compare(outputs)[0].max_scaled_error;
        assert!(off(&outputs[..]) <= tolerance && off(&whole[..]) > 100.0 * tolerance, "{}", row.name);
    }
}

#[test]
fn weights_are_packed_once_and_their_bytes_are_told() {
    let (params, setting) = (sizes(), setting("flex", DType::F32));
    let inputs = Matmul.pose(&params).unwrap().inputs(SEED);
    for row in [&LOOP, &DEQUANT] {
        let mut subject = run(row, &setting, &params, &inputs);
        let mut write = |name: &str, width: usize| subject.write(name, 0, &vec![1.0; width]).unwrap();
        assert_eq!([write("a", 500), write("b", 333), write("c", 1)], [true, false, false], "{}", row.name);
        let metrics = subject.metrics();
        // 500 rows of 167 bytes, and 16 groups of 333 scales.
        assert!(metrics.len() == 1 && !metrics[0].measured && metrics[0].unit == "bytes", "{metrics:?}");
        assert_eq!((metrics[0].name.as_str(), metrics[0].value), ("weight_bytes", 500.0 * 167.0 + 16.0 * 333.0 * 4.0));
    }
}

#[test]
fn the_loop_refuses_what_would_take_it_seconds() {
    let of = |row: &dyn Implementation, m: i64| row.supports("flex", DType::F32, &case(&Matmul, &[("m", m)]));
    assert_eq!([of(&LOOP, 256), of(&DEQUANT, 256), of(&DEQUANT, 2048)], [const { Support::Yes }; 3]);
    let Support::No(reason) = of(&LOOP, 2048) else { panic!("2048³ is refused") };
    assert!(reason.contains("8589934592") && reason.contains("67108864"), "{reason}");
}
