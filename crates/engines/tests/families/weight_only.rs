//! Products by weights of few bits: what they are checked against, what they lose, and what they hold.

use std::ops::{Range, RangeInclusive};

use benchbook_core::{Array, DType, Implementation, Inputs, Params, Row, Setting, Subject, Support, Workload};
use benchbook_engines::flex::int4::{DEQUANT, LOOP};
use benchbook_engines::flex::matmul::TILED;
use benchbook_engines::flex::{dynamic, packed, tables};
use benchbook_workloads::matmul::Matmul;

use crate::common::{SEED, case, setting};

/// A row, the share of a product of normal numbers that it loses, and the bytes of its weights in the case of [`sizes`].
struct Known {
    row: Row<Matmul>,
    lost: Range<f64>,
    bytes: RangeInclusive<f64>,
}

/// What panels of columns and words of steps that do not exist add at most: 352 columns for 333, and 512 steps for 500.
const FILLED: f64 = 1.09;

/// The rows of each format. What is lost is by simulation: the rounding of normal numbers that share scales as they do here.
fn all() -> Vec<Known> {
    let known = |row: Row<Matmul>| {
        let (format, form) = row.name.rsplit_once('-').unwrap();
        let (lost, bytes) = match format {
            "int4-g32" => (0.095, 500.0 * 167.0 + 16.0 * 333.0 * 4.0),
            "int8" => (0.0074, 500.0 * 333.0 + 333.0 * 4.0),
            "int8-g32" => (0.0053, 500.0 * 333.0 + 16.0 * 333.0 * 4.0),
            "e4m3" => (0.027, 500.0 * 333.0 + 333.0 * 4.0),
            "mxfp8-rceil" | "mxfp8-ceil" => (0.026, 500.0 * 333.0 + 16.0 * 333.0),
            "mxfp8-floor" => (0.030, 500.0 * 333.0 + 16.0 * 333.0),
            "mxfp8-even" => (0.028, 500.0 * 333.0 + 16.0 * 333.0),
            "mxfp6-e2m3-floor" => (0.0284, 500.0 * 250.0 + 16.0 * 333.0),
            "mxfp6-e3m2-floor" => (0.054, 500.0 * 250.0 + 16.0 * 333.0),
            "mxfp4-rceil" | "mxfp4-even" => (0.113, 500.0 * 167.0 + 16.0 * 333.0),
            "mxfp4-floor" => (0.115, 500.0 * 167.0 + 16.0 * 333.0),
            "mxfp4-ceil" => (0.144, 500.0 * 167.0 + 16.0 * 333.0),
            "nf4-g64" => (0.092, 500.0 * 167.0 + 8.0 * 333.0 * 4.0),
            "w8a8" => (0.0105, 500.0 * 333.0 + 333.0 * 4.0),
            "w4a8-g32" => (0.094, 500.0 * 167.0 + 16.0 * 333.0 * 4.0),
            _ => panic!("what {format} loses and holds is not known here"),
        };
        let most = if ["fused", "dynamic"].contains(&form) { FILLED * bytes } else { bytes };
        Known { row, lost: 0.85 * lost..1.15 * lost, bytes: bytes..=most }
    };
    let rows = [LOOP, DEQUANT].into_iter().chain(tables::ROWS).chain(packed::ROWS).chain(dynamic::ROWS);
    rows.map(known).collect()
}

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
fn what_is_lost_is_what_rounding_to_the_format_loses() {
    let (params, setting) = (sizes(), setting("flex", DType::F32));
    let posed = Matmul.pose(&params).unwrap();
    let (inputs, tolerance) = (posed.inputs(SEED), posed.tolerance(DType::F32));
    let exact = posed.reference(&inputs, SEED);
    let whole = run(&TILED, &setting, &params, &inputs).outputs().unwrap();
    for Known { row, lost, .. } in all() {
        let outputs = run(&row, &setting, &params, &inputs).outputs().unwrap();
        let found = exact.distance(&outputs);
        assert!(lost.contains(&found), "{}: {found}, not within {lost:?}", row.name);
        // A kernel that leaves the rounding out is not the approximation, and neither is it right by accident.
        let right = row.approximation(&params, &inputs, SEED).unwrap();
        let off = |outputs| right.compare(outputs)[0].max_scaled_error;
        assert!(off(&outputs[..]) <= tolerance && off(&whole[..]) > 100.0 * tolerance, "{}", row.name);
    }
}

#[test]
fn weights_are_packed_once_and_their_bytes_are_told() {
    let (params, setting) = (sizes(), setting("flex", DType::F32));
    let inputs = Matmul.pose(&params).unwrap().inputs(SEED);
    for Known { row, bytes, .. } in all() {
        let mut subject = run(&row, &setting, &params, &inputs);
        let mut write = |name: &str, width: usize| subject.write(name, 0, &vec![1.0; width]).unwrap();
        assert_eq!([write("a", 500), write("b", 333), write("c", 1)], [true, false, false], "{}", row.name);
        let metrics = subject.metrics();
        assert!(metrics.iter().all(|metric| !metric.measured), "{metrics:?}");
        let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
        let told = of("weight_bytes").unwrap();
        assert!(bytes.contains(&told), "{}: {told} bytes, not {bytes:?}", row.name);
        // Both other matrices are numbers of f32.
        assert_eq!(of("own_bytes"), Some(told + 5.0 * (500.0 + 333.0) * 4.0), "{}", row.name);
        let in_bytes = row.name.ends_with("-dynamic").then_some(2.0 * 5.0 * 500.0 * 333.0);
        assert_eq!([of("int8_ops"), of("own_flops")], [in_bytes, in_bytes.map(|_| 0.0)], "{}", row.name);
    }
}

#[test]
fn activations_in_bf16_are_widened_and_the_result_is_rounded() {
    let (params, setting) = (sizes(), setting("flex", DType::Bf16));
    let posed = Matmul.pose(&params).unwrap();
    let inputs = posed.inputs(SEED);
    for row in packed::ROWS {
        assert_eq!(row.supports("flex", DType::Bf16, &params), Support::Yes, "{}", row.name);
        let mut subject = run(&row, &setting, &params, &inputs);
        let outputs = subject.outputs().unwrap();
        assert_eq!(outputs[0].dtype(), DType::Bf16, "{}", row.name);
        let right = row.approximation(&params, &inputs, SEED).unwrap();
        let off = right.compare(&outputs)[0].max_scaled_error;
        assert!(off > 1e-5 && off <= posed.tolerance(DType::Bf16), "{}: {off}", row.name);
        let metrics = subject.metrics();
        let of = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
        assert_eq!(of("own_bytes"), of("weight_bytes").map(|told| told + 5.0 * (500.0 + 333.0) * 2.0), "{}", row.name);
        // A row that is overwritten is multiplied too.
        assert!(subject.write("a", 0, &[0.0; 500]).unwrap());
        subject.run(1);
        let zeros = subject.outputs().unwrap().remove(0).to_f64();
        assert!(zeros[..333].iter().all(|number| *number == 0.0) && zeros[333..] == outputs[0].to_f64()[333..]);
    }
}

#[test]
fn loops_refuse_what_would_take_them_seconds() {
    for Known { row, .. } in all() {
        let of = |m: i64| row.supports("flex", DType::F32, &case(&Matmul, &[("m", m)]));
        assert_eq!(of(256), Support::Yes, "{}", row.name);
        match of(2048) {
            Support::Yes => assert!(!row.name.ends_with("-loop"), "{} takes 2048³", row.name),
            Support::No(reason) => {
                assert!(row.name.ends_with("-loop"), "{}: {reason}", row.name);
                assert!(reason.contains("8589934592") && reason.contains("67108864"), "{reason}");
            }
        }
    }
}

/// The product of a row by these weights.
fn product(row: &Row<Matmul>, params: &Params, inputs: &Inputs, weights: &[f32]) -> Vec<f32> {
    let mut inputs = inputs.clone();
    inputs.insert("b", Array::new(inputs.get("b").shape().to_vec(), weights));
    run(row, &setting("flex", DType::F32), params, &inputs).outputs().unwrap().remove(0).of::<f32>().to_vec()
}

#[test]
fn what_is_zero_stays_and_what_is_not_finite_makes_its_column_no_number() {
    // Few rows, which some meet in registers, and many; blocks of zeros among others.
    for m in [3, 20] {
        let params = case(&Matmul, &[("m", m), ("n", 37), ("k", 130)]);
        let inputs = Matmul.pose(&params).unwrap().inputs(SEED);
        let mut clean = inputs.numbers("b").to_vec();
        let column = |weights: &mut [f32], column: usize, number: f32| {
            weights.iter_mut().skip(column).step_by(37).for_each(|weight| *weight = number);
        };
        [3, 4, 5, 36].into_iter().for_each(|at| column(&mut clean, at, 0.0));
        clean[..32 * 37].iter_mut().skip(7).step_by(37).for_each(|weight| *weight = 0.0);
        let mut wrong = clean.clone();
        for (at, number) in [(3, f32::NAN), (4, f32::INFINITY), (5, f32::NEG_INFINITY)] {
            wrong[11 * 37 + at] = number;
        }
        for Known { row, .. } in all() {
            let (right, found) = (product(&row, &params, &inputs, &clean), product(&row, &params, &inputs, &wrong));
            for (at, (right, found)) in right.iter().zip(&found).enumerate() {
                let name = format!("{} of {m} rows at {at}: {right}, then {found}", row.name);
                assert!(![3, 4, 5, 36].contains(&(at % 37)) || *right == 0.0, "{name}");
                // Blocks with a power of two for a scale keep an infinity, beside which numbers are coarse.
                if row.name.starts_with("mx") && [4, 5].contains(&(at % 37)) {
                    continue;
                }
                let kept = if [3, 4, 5].contains(&(at % 37)) { found.is_nan() } else { found == right };
                assert!(kept && right.is_finite(), "{name}");
            }
        }
    }
}
