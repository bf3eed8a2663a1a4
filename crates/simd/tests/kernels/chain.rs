//! A residual sum, its norm and a gate: fused with the same bits as one after another, or nearly so; and calls that are refused.

use benchbook_simd::{Elementwise, Fusion, Isa, Norm, NormChain, elementwise, norm_chain, rms_norm};

use crate::common::{close, numbers, present};

const EPSILON: f64 = 1e-5;

/// Sum and result, an operation after another.
fn unfused(chain: &NormChain) -> [Vec<f32>; 2] {
    let NormChain { width, input, residual, gate, gain, epsilon, isa } = *chain;
    let [mut sum, mut normed, mut opened, mut out] = [(); 4].map(|()| vec![f32::NAN; input.len()]);
    elementwise(isa, Elementwise::Sum([input, residual]), &mut sum).unwrap();
    rms_norm(&Norm { width, input: &sum, gain, epsilon, isa }, &mut normed).unwrap();
    elementwise(isa, Elementwise::Silu(gate), &mut opened).unwrap();
    elementwise(isa, Elementwise::Product([&normed, &opened]), &mut out).unwrap();
    [sum, out]
}

fn fused(chain: &NormChain, fusion: Fusion) -> [Vec<f32>; 2] {
    let mut found = [(); 2].map(|()| vec![f32::NAN; chain.input.len()]);
    norm_chain(chain, fusion, found.each_mut().map(|numbers| &mut numbers[..])).unwrap();
    found
}

fn bits(numbers: &[Vec<f32>; 2]) -> Vec<u32> {
    numbers.iter().flatten().map(|number| number.to_bits()).collect()
}

#[test]
fn the_chain_is_its_formula_and_fusion_keeps_the_bits() {
    for (rows, width) in [(1, 1), (3, 17), (67, 33), (5, 4099), (40, 1024)] {
        let [input, residual, gate] = [1, 2, 3].map(|seed| numbers(rows * width, seed));
        let gain: Vec<f32> = numbers(width, 4).iter().map(|x| 1.0 + 0.1 * x).collect();
        let chain = |isa| NormChain {
            width,
            input: &input,
            residual: &residual,
            gate: &gate,
            gain: &gain,
            epsilon: EPSILON,
            isa,
        };
        let sum: Vec<f64> = input.iter().zip(&residual).map(|(a, b)| f64::from(*a) + f64::from(*b)).collect();
        let mut right = Vec::new();
        for (row, gates) in sum.chunks_exact(width).zip(gate.chunks_exact(width)) {
            let scale = 1.0 / (row.iter().map(|x| x * x).sum::<f64>() / width as f64 + EPSILON).sqrt();
            let gated = |(x, (gain, gate)): (&f64, (&f32, &f32))| {
                let gate = f64::from(*gate);
                x * scale * f64::from(*gain) * gate / (1.0 + (-gate).exp())
            };
            right.extend(row.iter().zip(gain.iter().zip(gates)).map(gated));
        }
        for isa in present() {
            let name = format!("{rows}×{width} by {}", isa.name());
            let plain = unfused(&chain(isa));
            close(&name, &plain[0], &sum, 1e-6);
            close(&name, &plain[1], &right, 1e-5);
            assert_eq!(bits(&fused(&chain(isa), Fusion::Conservative)), bits(&plain), "{name}");
            let aggressive = fused(&chain(isa), Fusion::Aggressive);
            assert_eq!(aggressive[0], plain[0], "{name}");
            close(&name, &aggressive[1], &right, 1e-5);
        }
    }
}

#[test]
fn rows_whose_squares_no_register_holds_keep_the_bits_too() {
    let width = 37;
    let input: Vec<f32> = numbers(2 * width, 1).iter().map(|x| 1e30 * x).collect();
    let [residual, gate] = [2, 3].map(|seed| numbers(2 * width, seed));
    let gain = vec![1.0; width];
    for isa in present() {
        let chain =
            NormChain { width, input: &input, residual: &residual, gate: &gate, gain: &gain, epsilon: EPSILON, isa };
        let plain = unfused(&chain);
        assert!(plain[1].iter().all(|number| number.is_finite()) && plain[1].iter().any(|number| number.abs() > 0.1));
        assert_eq!(bits(&fused(&chain, Fusion::Conservative)), bits(&plain), "{}", isa.name());
    }
}

#[test]
fn what_no_chain_is_of_is_refused() {
    let (six, gain, isa) = ([0.0; 6], [1.0; 3], Isa::Portable);
    let chain = NormChain { width: 3, input: &six, residual: &six, gate: &six, gain: &gain, epsilon: EPSILON, isa };
    let said = |chain: &NormChain| {
        let (mut sum, mut out) = ([0.0; 6], [0.0; 6]);
        norm_chain(chain, Fusion::Conservative, [&mut sum, &mut out]).unwrap_err().to_string()
    };
    assert!(said(&NormChain { residual: &six[..3], ..chain }).contains("the residual holds 3 numbers"));
    assert!(said(&NormChain { gate: &six[..5], ..chain }).contains("the gate holds 5 numbers"));
    assert!(said(&NormChain { gain: &gain[..2], ..chain }).contains("the gain holds 2 numbers"));
    let product = elementwise(isa, Elementwise::Product([&six, &gain]), &mut [0.0; 6]).unwrap_err();
    assert!(product.to_string().contains("the second numbers holds 3 numbers"));
}
