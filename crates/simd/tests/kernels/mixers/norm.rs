//! RMS norms with a gate.

use benchbook_simd::{Gate, GatedNorm, Isa, gated_rms_norm};
use proptest::prelude::*;

use super::{silu, wide};
use crate::common::{close, numbers, present};

const EPSILON: f32 = 1e-5;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_norm_is_that_of_its_row_with_its_gate(
        rows in 0..40_usize,
        // Less than a register, and more numbers than a task has.
        width in prop_oneof![1..70_usize, 900..1100_usize],
        with_gain in any::<bool>(),
        place in 0..3_usize,
        seed in any::<u64>(),
    ) {
        let [x, z] = [1, 2].map(|one| numbers(rows * width, seed ^ one));
        let gain = numbers(width, seed ^ 3);
        let of_row = |row: usize| -> Vec<f64> {
            let gate = |column: usize, here: usize| if place == here { silu(wide(&z, row * width + column)) } else { 1.0 };
            let gated: Vec<f64> =
                (0..width).map(|column| wide(&x, row * width + column) * gate(column, 1)).collect();
            let square = gated.iter().map(|number| number * number).sum::<f64>() / width as f64;
            let scale = 1.0 / (square + f64::from(EPSILON)).sqrt();
            let gain = |column: usize| if with_gain { wide(&gain, column) } else { 1.0 };
            gated.iter().enumerate().map(|(column, number)| number * scale * gain(column) * gate(column, 2)).collect()
        };
        let right: Vec<f64> = (0..rows).flat_map(of_row).collect();
        let gate = [Gate::None, Gate::Before(&z), Gate::After(&z)][place];
        for isa in present() {
            let call = GatedNorm { width, x: &x, gain: with_gain.then_some(&gain[..]), gate, epsilon: EPSILON, isa };
            let mut out = vec![f32::NAN; x.len()];
            gated_rms_norm(&call, &mut out).unwrap();
            close(&format!("a norm by {}", isa.name()), &out, &right, 3e-6);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = [1.0; 6];
    let call = GatedNorm { width: 3, x: &x, gain: None, gate: Gate::None, epsilon: EPSILON, isa: Isa::Portable };
    let said = |call: GatedNorm, out: usize| gated_rms_norm(&call, &mut vec![0.0; out]).unwrap_err().to_string();
    assert_eq!(said(call, 5), "the result holds 5 numbers, its shape [2, 3] needs 6");
    assert_eq!(said(GatedNorm { width: 4, ..call }, 6), "6 numbers are no whole rows of 4");
    assert_eq!(said(GatedNorm { width: 0, ..call }, 6), "6 numbers are no whole rows of 0");
    assert!(said(GatedNorm { gain: Some(&x), ..call }, 6).contains("the gain holds 6 numbers, its shape [3] needs 3"));
    assert!(said(GatedNorm { gate: Gate::After(&x[1..]), ..call }, 6).contains("the gate holds 5 numbers"));
}
