//! Products by weights from a table: the same bits as by these weights in `f32`, and what is refused.

use benchbook_simd::{Isa, Product, Scales, TableWeights, matmul, matmul_table, matmul_table_loop};
use proptest::prelude::*;

use crate::common::{bytes, near, numbers, present};

/// The weights as numbers, by their definition.
fn dense(weights: &TableWeights, [k, n]: [usize; 2]) -> Vec<f32> {
    let one = |step: usize, column: usize| {
        let code = if weights.values.len() == 256 {
            weights.codes[step * n + column]
        } else if column.is_multiple_of(2) {
            weights.codes[step * n.div_ceil(2) + column / 2] % 16
        } else {
            weights.codes[step * n.div_ceil(2) + column / 2] / 16
        };
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
        (wide, powers) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let (left, values) = (numbers(m * k, seed), numbers(if wide { 256 } else { 16 }, seed ^ 2));
        let codes = bytes(k * if wide { n } else { n.div_ceil(2) }, !seed);
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
    for (answers, part) in [
        (asked(&codes[1..], &values, &scales, 2), "the codes of the right factor holds 14 numbers"),
        (asked(&codes, &values, &scales[3..], 2), "the scales of the right factor holds 6 numbers"),
        (asked(&codes, &values, &scales, 0), "a group of 0 steps"),
        (asked(&codes, &values[..15], &scales, 2), "a table has 16 or 256 values, not 15"),
    ] {
        for answer in answers {
            assert!(answer.clone().is_err_and(|said| said.contains(part)), "{part}: {answer:?}");
        }
    }
}
