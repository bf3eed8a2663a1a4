//! Products by weights of bf16: widened exactly, every number of them, and added up in the order of the steps.

use benchbook_simd::{Isa, PackedWeights, Product, matmul, matmul_packed};
use half::bf16;
use proptest::prelude::*;

use crate::common::{numbers, present};

/// Rows at most that are multiplied as their weights are widened.
const FEW: usize = 8;

fn halves(numbers: &[f32]) -> Vec<bf16> {
    numbers.iter().map(|number| bf16::from_f32(*number)).collect()
}

/// The product of these rows on an instruction set.
fn product(isa: Isa, left: &[f32], weights: &[bf16], [k, n]: [usize; 2]) -> Vec<f32> {
    let rows = left.len() / k;
    let mut out = vec![f32::INFINITY; rows * n];
    matmul_packed(rows, left, &PackedWeights::of_bf16(weights, [k, n], isa).unwrap(), &mut out).unwrap();
    out
}

/// The same by a plain loop, a step after another, each rounded as the instruction set rounds.
fn by_steps(isa: Isa, left: &[f32], weights: &[bf16], [k, n]: [usize; 2]) -> Vec<f32> {
    let once = matches!(isa, Isa::Avx2 | Isa::Avx512);
    let mut out = vec![0.0_f32; left.len() / k * n];
    for (left, out) in left.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
        for (factor, weights) in left.iter().zip(weights.chunks_exact(n)) {
            for (sum, weight) in out.iter_mut().zip(weights) {
                let weight = weight.to_f32();
                *sum = if once { factor.mul_add(weight, *sum) } else { factor * weight + *sum };
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_product_has_the_bits_of_a_plain_loop(
        // Steps that fill no word, one and several blocks of them, few and many columns; rows on both sides of the bound.
        (m, k, n) in prop_oneof![
            (1..17_usize, 1..300_usize, 1..90_usize),
            (1..17_usize, 500..1200_usize, 1..70_usize),
            (1..10_usize, 1..90_usize, 250..600_usize),
        ],
        seed in any::<u64>(),
    ) {
        let (size, left, weights) = ([k, n], numbers(m * k, seed), halves(&numbers(k * n, !seed)));
        let widened: Vec<f32> = weights.iter().map(|weight| weight.to_f32()).collect();
        for isa in present() {
            let found = product(isa, &left, &weights, size);
            let right = if m > FEW {
                let mut by_numbers = vec![f32::NAN; m * n];
                matmul(&Product { size: [m, k, n], left: &left, right: &widened, isa }, &mut by_numbers).unwrap();
                by_numbers
            } else {
                by_steps(isa, &left, &weights, size)
            };
            prop_assert_eq!(&found, &right, "{} rows on {}", m, isa.name());
            if m <= FEW {
                let alone = product(isa, &left[(m - 1) * k..], &weights, size);
                prop_assert_eq!(&alone[..], &found[(m - 1) * n..], "the last of {} rows alone on {}", m, isa.name());
            }
        }
    }
}

#[test]
fn every_number_is_itself_in_both_halves_of_a_word() {
    let all: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
    let n = all.len();
    for (place, rows) in [(0, 1), (1, 1), (0, FEW), (1, FEW), (1, FEW + 1)] {
        // All other steps are ones, times zero.
        let mut weights = vec![bf16::ONE; 3 * n];
        weights[place * n..][..n].copy_from_slice(&all);
        let left: Vec<f32> = (0..rows * 3).map(|at| f32::from(u8::from(at % 3 == place))).collect();
        for isa in present() {
            let found = product(isa, &left, &weights, [3, n]);
            for (found, one) in found.iter().zip(all.iter().cycle()) {
                let right = one.to_f32();
                let same = *found == right || (found.is_nan() && right.is_nan());
                assert!(same, "{right} at {place} on {}: {found}", isa.name());
            }
        }
    }
}

#[test]
fn two_bytes_a_number_and_no_other_length() {
    let weights = vec![bf16::ONE; 60];
    // Eight columns of ten words, and a byte each of a scale that is one.
    assert_eq!(PackedWeights::of_bf16(&weights, [20, 3], Isa::Portable).unwrap().bytes(), 8 * 10 * 4 + 8);
    let said = PackedWeights::of_bf16(&weights[1..], [20, 3], Isa::Portable).unwrap_err().to_string();
    assert!(said.contains("the right factor holds 59 numbers"), "{said}");
    let packed = PackedWeights::of_bf16(&weights, [20, 3], Isa::detect()).unwrap();
    for rows in [1, FEW + 1] {
        assert!(matmul_packed(rows, &vec![1.0; rows * 20 + 1], &packed, &mut vec![0.0; rows * 3]).is_err());
        assert!(matmul_packed(rows, &vec![1.0; rows * 20], &packed, &mut vec![0.0; rows * 3 + 1]).is_err());
    }
    // Nothing to add up, and nothing to give.
    let mut out = [7.0; 2];
    matmul_packed(1, &[], &PackedWeights::of_bf16(&[], [0, 2], Isa::detect()).unwrap(), &mut out).unwrap();
    assert_eq!(out, [0.0; 2]);
}
