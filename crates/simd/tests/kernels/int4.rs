//! Products by weights of four bits: the same bits as by these weights in `f32`, and what is refused.

use benchbook_simd::{Int4Weights, Isa, Product, matmul, matmul_int4, matmul_int4_loop};
use proptest::prelude::*;

use crate::common::{bytes, near, numbers, present};

/// Random codes, two to a byte, rows of `n` of them; where `n` is odd, the last nibble of a row is no code.
fn codes(k: usize, n: usize, seed: u64) -> Vec<u8> {
    bytes(k * n.div_ceil(2), seed)
}

/// The weights as numbers, by their definition.
fn dense(weights: &Int4Weights, [k, n]: [usize; 2]) -> Vec<f32> {
    let one = |step: usize, column: usize| {
        let byte = weights.codes[step * n.div_ceil(2) + column / 2];
        let code = if column.is_multiple_of(2) { byte % 16 } else { byte / 16 };
        weights.scales[step / weights.group * n + column] * (f32::from(code) - 8.0)
    };
    (0..k).flat_map(|step| (0..n).map(move |column| one(step, column))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_product_by_codes_has_the_bits_of_one_by_their_numbers(
        // One block, several blocks of steps, and several blocks of columns.
        (m, k, n) in prop_oneof![
            (0..70_usize, 0..300_usize, 0..90_usize),
            (0..30_usize, 500..1200_usize, 0..90_usize),
            (0..30_usize, 0..90_usize, 250..900_usize),
        ],
        group in 1..80_usize,
        seed in any::<u64>(),
    ) {
        let (left, codes) = (numbers(m * k, seed), codes(k, n, !seed));
        let scales = numbers(k.div_ceil(group) * n, seed ^ 1);
        let weights = Int4Weights { codes: &codes, scales: &scales, group };
        let (size, right) = ([m, k, n], dense(&weights, [k, n]));
        for isa in present() {
            let [mut by_codes, mut by_numbers] = [(); 2].map(|()| vec![f32::NAN; m * n]);
            matmul_int4(isa, size, &left, &weights, &mut by_codes).unwrap();
            matmul(&Product { size, left: &left, right: &right, isa }, &mut by_numbers).unwrap();
            prop_assert_eq!(&by_codes, &by_numbers, "{}", isa.name());
            near(isa.name(), size, [&left, &right, &by_codes]);
        }
        let mut out = vec![f32::NAN; m * n];
        matmul_int4_loop(size, &left, &weights, &mut out).unwrap();
        near("the loop", size, [&left, &right, &out]);
    }
}

#[test]
fn the_low_nibble_comes_first() {
    // Two steps, three columns, a scale for both steps: [1 −8 7; 0 2 −1] times 0.5, 1 and 2.
    let weights = Int4Weights { codes: &[0x09, 0xff, 0xa8, 0x07], scales: &[0.5, 1.0, 2.0], group: 2 };
    for isa in present() {
        let mut out = [0.0; 3];
        matmul_int4(isa, [1, 2, 3], &[1.0, 10.0], &weights, &mut out).unwrap();
        assert_eq!(out, [0.5, 12.0, -6.0], "{}", isa.name());
    }
}

#[test]
fn scales_that_are_no_numbers_give_what_their_products_give() {
    // Five columns again and again, whole panels of them and less; the third step is a group of its own.
    let (n, left) = (37_usize, [1.0_f32, 2.0, 4.0]);
    let of = [[f32::NAN, 0.0, f32::NEG_INFINITY, f32::INFINITY, -0.5], [1.0, 0.0, 1.0, 2.0, 2.0]];
    let scales: Vec<f32> = (0..2 * n).map(|at| of[at / n][at % n % 5]).collect();
    // Of a column whose scale is infinite one code is 8, which stands for zero.
    let of = [[0_u8, 9, 8, 9, 15], [0, 1, 9, 15, 0], [12, 9, 9, 10, 15]];
    let code = |step: usize, column: usize| if column < n { of[step][column % 5] } else { 0 };
    let pairs = (0..3).flat_map(|step| (0..n).step_by(2).map(move |column| [step, column]));
    let codes: Vec<u8> = pairs.map(|[step, column]| code(step, column) | (code(step, column + 1) << 4)).collect();
    let weights = Int4Weights { codes: &codes, scales: &scales, group: 2 };
    let right = dense(&weights, [3, n]);
    let product = |column: usize| -> f32 { (0..3).map(|step| left[step] * right[step * n + column]).sum() };
    let check = |name: &str, found: &[f32]| {
        for (at, found) in found.iter().enumerate() {
            let wanted = product(at % n);
            let same = *found == wanted || (found.is_nan() && wanted.is_nan());
            assert!(same, "{name}, column {}: {found}, not {wanted}", at % n);
        }
    };
    assert!(product(0).is_nan() && product(2).is_nan() && product(3) == f32::INFINITY);
    for rows in [1, 3, 20] {
        let (size, left, mut out) = ([rows, 3, n], left.repeat(rows), vec![7.0; rows * n]);
        for isa in present() {
            matmul_int4(isa, size, &left, &weights, &mut out).unwrap();
            check(isa.name(), &out);
        }
        matmul_int4_loop(size, &left, &weights, &mut out).unwrap();
        check("the loop", &out);
    }
}

#[test]
fn weights_that_are_no_factor_are_refused() {
    let (codes, scales) = ([0x88_u8; 10], [1.0_f32; 9]);
    let asked = |codes: &[u8], scales: &[f32], group: usize, left: usize| {
        let weights = Int4Weights { codes, scales, group };
        let (left, mut out) = (vec![1.0; left], [f32::NAN; 6]);
        let both = [
            matmul_int4(Isa::Portable, [2, 5, 3], &left, &weights, &mut out),
            matmul_int4_loop([2, 5, 3], &left, &weights, &mut out),
        ];
        both.map(|answer| answer.map_err(|error| error.to_string()))
    };
    assert_eq!(asked(&codes, &scales, 2, 10), [Ok(()), Ok(())]);
    for (answers, part) in [
        (
            asked(&codes[1..], &scales, 2, 10),
            "the codes of the right factor holds 9 numbers, its shape [5, 2] needs 10",
        ),
        (
            asked(&codes, &scales[3..], 2, 10),
            "the scales of the right factor holds 6 numbers, its shape [3, 3] needs 9",
        ),
        (asked(&codes, &scales, 0, 10), "a group of 0 steps"),
        (asked(&codes, &scales, 2, 9), "the left factor holds 9 numbers"),
    ] {
        for answer in answers {
            assert!(answer.clone().is_err_and(|said| said.contains(part)), "{part}: {answer:?}");
        }
    }
}
