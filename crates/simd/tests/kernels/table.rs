//! Products by weights from a table: the same bits as by these weights in `f32`, and what is refused.

use benchbook_formats::{Order, e8m0, unpacked};
use benchbook_simd::{Isa, Product, Scales, TableWeights, matmul, matmul_table, matmul_table_loop};
use proptest::prelude::*;

use crate::common::{bytes, near, numbers, present};

/// The weights as numbers, by their definition.
fn dense(weights: &TableWeights, [k, n]: [usize; 2]) -> Vec<f32> {
    let codes = unpacked(weights.codes, n, weights.values.len().ilog2(), Order::LowFirst);
    let one = |step: usize, column: usize| {
        let code = codes[step * n + column];
        let at = step / weights.group * n + column;
        let scale = match weights.scales {
            Scales::Numbers(scales) => scales[at],
            Scales::Powers(powers) => 2.0_f32.powi(i32::from(powers[at]) - 127),
        };
        weights.values[usize::from(code)] * scale
    };
    (0..k).flat_map(|step| (0..n).map(move |column| one(step, column))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_product_by_a_table_has_the_bits_of_one_by_its_numbers(
        (m, k, n) in prop_oneof![
            (0..70_usize, 0..300_usize, 0..90_usize),
            (0..30_usize, 500..1200_usize, 0..90_usize),
            (0..30_usize, 0..90_usize, 250..900_usize),
        ],
        group in 1..80_usize,
        (bits, powers) in (prop_oneof![Just(4_usize), Just(6), Just(8)], any::<bool>()),
        seed in any::<u64>(),
    ) {
        let (left, values) = (numbers(m * k, seed), numbers(1 << bits, seed ^ 2));
        let codes = bytes(k * (n * bits).div_ceil(8), !seed);
        let scales = numbers(k.div_ceil(group) * n, seed ^ 1);
        // Powers from 2⁻⁸ to 2⁷.
        let bytes: Vec<u8> = scales.iter().map(|scale| (119.0 + (scale + 1.0) * 7.9) as u8).collect();
        let scales = if powers { Scales::Powers(&bytes) } else { Scales::Numbers(&scales) };
        let weights = TableWeights { codes: &codes, values: &values, scales, group };
        let (size, right) = ([m, k, n], dense(&weights, [k, n]));
        for isa in present() {
            let [mut by_codes, mut by_numbers] = [(); 2].map(|()| vec![f32::NAN; m * n]);
            matmul_table(isa, size, &left, &weights, &mut by_codes).unwrap();
            matmul(&Product { size, left: &left, right: &right, isa }, &mut by_numbers).unwrap();
            prop_assert_eq!(&by_codes, &by_numbers, "{}", isa.name());
        }
        let mut out = vec![f32::NAN; m * n];
        matmul_table_loop(size, &left, &weights, &mut out).unwrap();
        near("the loop", size, [&left, &right, &out]);
    }
}

#[test]
fn scales_that_are_no_numbers_give_what_their_products_give() {
    // Of the third column the code stands for zero; as a power of two 255 is NaN, and 0 the smallest number.
    let (codes, values) = ([[1_u8, 2, 0, 3], [3, 1, 0, 2], [2, 2, 0, 1]], [0.0_f32, 1.0, -2.0, 0.5].repeat(64));
    let of_groups = [[f32::NAN, 0.0, f32::INFINITY, f32::INFINITY], [1.0, 0.0, 1.0, 2.0]];
    for scales in [Scales::Numbers(of_groups.as_flattened()), Scales::Powers(&[255, 0, 127, 128, 127, 0, 255, 127])] {
        let weights = TableWeights { codes: codes.as_flattened(), values: &values, scales, group: 2 };
        let right: Vec<f32> = (0..12_usize)
            .map(|at| {
                let scale = match scales {
                    Scales::Numbers(scales) => scales[at / 8 * 4 + at % 4],
                    Scales::Powers(powers) => e8m0::decode(powers[at / 8 * 4 + at % 4]),
                };
                values[usize::from(codes[at / 4][at % 4])] * scale
            })
            .collect();
        for rows in [1, 20] {
            let (size, left) = ([rows, 3, 4], [1.0_f32, -2.0, 4.0].repeat(rows));
            let product = |column: usize| -> f32 { (0..3).map(|step| left[step] * right[step * 4 + column]).sum() };
            let check = |name: &str, found: &[f32]| {
                let same = |(at, found): (usize, &f32)| {
                    let wanted = product(at % 4);
                    *found == wanted || (found.is_nan() && wanted.is_nan())
                };
                assert!(found.iter().enumerate().all(same), "{name}: {found:?} by {right:?}");
            };
            let mut out = vec![7.0; rows * 4];
            for isa in present() {
                matmul_table(isa, size, &left, &weights, &mut out).unwrap();
                check(isa.name(), &out);
            }
            matmul_table_loop(size, &left, &weights, &mut out).unwrap();
            check("the loop", &out);
        }
    }
}

#[test]
fn weights_that_are_no_factor_are_refused() {
    let (codes, values, scales) = ([0_u8; 15], [1.0_f32; 256], [127_u8; 9]);
    let asked = |codes: &[u8], values: &[f32], scales: &[u8], group: usize| {
        let weights = TableWeights { codes, values, scales: Scales::Powers(scales), group };
        let (left, mut out) = ([1.0; 10], [f32::NAN; 6]);
        let both = [
            matmul_table(Isa::Portable, [2, 5, 3], &left, &weights, &mut out),
            matmul_table_loop([2, 5, 3], &left, &weights, &mut out),
        ];
        both.map(|answer| answer.map_err(|error| error.to_string()))
    };
    assert_eq!(asked(&codes, &values, &scales, 2), [Ok(()), Ok(())]);
    assert_eq!(asked(&codes[..10], &values[..16], &scales, 2), [Ok(()), Ok(())]);
    // Three codes of six bits take three bytes.
    assert_eq!(asked(&codes, &values[..64], &scales, 2), [Ok(()), Ok(())]);
    for (answers, part) in [
        (asked(&codes[1..], &values, &scales, 2), "the codes of the right factor holds 14 numbers"),
        (asked(&codes, &values, &scales[3..], 2), "the scales of the right factor holds 6 numbers"),
        (asked(&codes, &values, &scales, 0), "a group of 0 steps"),
        (asked(&codes, &values[..15], &scales, 2), "a table has 16, 64 or 256 values, not 15"),
    ] {
        for answer in answers {
            assert!(answer.clone().is_err_and(|said| said.contains(part)), "{part}: {answer:?}");
        }
    }
}
