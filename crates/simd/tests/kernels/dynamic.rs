//! Products in whole numbers: the same sums with every kind of instructions, and those of rounding by the definition.

use benchbook_formats::{Axis, Grid, Groups, Integers, Rounding, Whole};
use benchbook_simd::{ByteDot, Code, CodedWeights, Error, IntegerWeights, Scales, matmul_dynamic};
use proptest::prelude::*;

use crate::common::{bytes, numbers};

fn present() -> impl Iterator<Item = ByteDot> {
    ByteDot::ALL.into_iter().filter(|dot| dot.present())
}

/// The left factor `[rows, k]` in whole numbers, by their definition.
fn rounded(left: &[f32], k: usize) -> Whole {
    let groups = Groups::new([left.len() / k, k], Axis::Columns, k).unwrap();
    Integers { bits: 8, grid: Grid::Ends }.quantised(left, &groups, Rounding::NearestEven).unwrap()
}

/// Sums `[rows, n, groups]` of products of whole numbers.
fn sums(left: &Whole, weights: &CodedWeights) -> Vec<i64> {
    let ([k, n], groups) = (weights.size, weights.size[0].div_ceil(weights.group));
    let zero = if weights.code.bits() == 8 { 128 } else { 8 };
    let mut all = vec![0; left.scales.len() * n * groups];
    for (at, sum) in all.iter_mut().enumerate() {
        let (row, column, group) = (at / groups / n, at / groups % n, at % groups);
        for step in group * weights.group..k.min((group + 1) * weights.group) {
            let factor = i64::from(left.codes[row * k + step]) - 128;
            *sum += factor * (i64::from(weights.codes[step * n + column]) - zero);
        }
    }
    all
}

fn product(dot: ByteDot, left: &[f32], weights: &CodedWeights) -> Vec<f32> {
    let [k, n] = weights.size;
    let rows = left.len() / k;
    let mut out = vec![f32::INFINITY; rows * n];
    matmul_dynamic(rows, left, &IntegerWeights::new(weights, dot).unwrap(), &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_the_same_whole_numbers_everywhere(
        (m, k, n) in prop_oneof![
            (1..40_usize, 1..300_usize, 1..90_usize),
            (1..7_usize, 500..3000_usize, 1..50_usize),
            (1..14_usize, 1..60_usize, 250..600_usize),
        ],
        (eight, words, whole) in (any::<bool>(), 1..12_usize, any::<bool>()),
        seed in any::<u64>(),
    ) {
        let code = if eight { Code::Int8 } else { Code::Int4 };
        let group = if whole { k } else { words * 32 / code.bits() };
        let mask = if eight { 255 } else { 15 };
        let codes: Vec<u8> = bytes(k * n, !seed).iter().map(|byte| byte & mask).collect();
        let left = numbers(m * k, seed);
        let (whole, groups) = (rounded(&left, k), k.div_ceil(group));
        let ones = vec![1.0; groups * n];
        let weights = CodedWeights { size: [k, n], codes: &codes, code, scales: Scales::Numbers(&ones), group };
        let all = sums(&whole, &weights);
        // Below 2²⁴ after every group, so that nothing is rounded before the scale of the row.
        let right: Vec<f32> = all
            .chunks(groups)
            .enumerate()
            .map(|(at, sums)| sums.iter().sum::<i64>() as f32 * whole.scales[at / n])
            .collect();
        let scales = numbers(groups * n, seed ^ 1);
        let scaled = CodedWeights { scales: Scales::Numbers(&scales), ..weights };
        for dot in present() {
            if k * 128 * 127 < 1 << 24 {
                prop_assert_eq!(&product(dot, &left, &weights), &right, "{}", dot.name());
            }
            let found = product(dot, &left, &scaled);
            for (at, (found, sums)) in found.iter().zip(all.chunks(groups)).enumerate() {
                let parts = sums.iter().enumerate().map(|(group, sum)| *sum as f64 * f64::from(scales[group * n + at % n]));
                let row = f64::from(whole.scales[at / n]);
                let (wanted, most) = parts.fold((0.0, 0.0_f64), |(sum, most), one| (sum + one, most + one.abs()));
                // Of each group its conversion, its scale and its addition, and the scale of the row.
                let allowed = (groups + 3) as f64 * 2.0_f64.powi(-24) * most * row * 1.01;
                let off = (f64::from(*found) - wanted * row).abs();
                prop_assert!(off <= allowed, "{} at {}: {} for {}", dot.name(), at, found, wanted * row);
            }
        }
    }
}

#[test]
fn the_ends_of_bytes_neither_saturate_nor_overflow() {
    // As many steps as a sum may have: with codes of 0 to 255 that are taken as unsigned, 2³¹ is passed on the way.
    for (k, factor, byte) in
        [(1 << 17, 1.0, 255_u8), (1 << 17, -1.0, 255), (1 << 17, 1.0, 0), (1 << 17, -1.0, 0), (7, -1.0, 0)]
    {
        let (left, codes) = (vec![factor; k], vec![byte; k]);
        let scales = Scales::Numbers(&[1.0]);
        let weights = CodedWeights { size: [k, 1], codes: &codes, code: Code::Int8, scales, group: k };
        let sum = k as i64 * (127.0 * factor) as i64 * (i64::from(byte) - 128);
        assert!(i32::try_from(sum).is_ok());
        let right = sum as f32 * (1.0 / 127.0);
        for dot in present() {
            assert_eq!(product(dot, &left, &weights), [right], "{}: {k} times {factor} by {byte}", dot.name());
        }
    }
}

#[test]
fn one_step_one_column_and_weights_all_alike_are_products_too() {
    for (code, one) in [(Code::Int8, 0_u8), (Code::Int8, 128), (Code::Int4, 0), (Code::Int4, 8), (Code::Int4, 15)] {
        for (size, rows) in [[1, 1], [1, 37], [37, 1]].into_iter().flat_map(|size| [(size, 1), (size, 20)]) {
            let [k, n] = size;
            let (codes, scales) = (vec![one; k * n], vec![1.0; n]);
            let weights = CodedWeights { size, codes: &codes, code, scales: Scales::Numbers(&scales), group: k };
            // A row of −127 has steps of 1.
            let right = k as f32 * -127.0 * code.number(one.into());
            for dot in present() {
                let found = product(dot, &vec![-127.0; rows * k], &weights);
                assert_eq!(found, vec![right; rows * n], "{rows} rows by {one} of {code:?}: {}", dot.name());
            }
        }
    }
}

#[test]
fn rows_of_zeros_stay_and_what_is_not_finite_is_nan() {
    let (codes, scales) = ([200_u8; 12], [0.5_f32; 3]);
    let weights =
        CodedWeights { size: [4, 3], codes: &codes, code: Code::Int8, scales: Scales::Numbers(&scales), group: 4 };
    let (nan, infinite, least) = (f32::NAN, f32::NEG_INFINITY, f32::from_bits(1));
    let left =
        [[0.0, -0.0, 0.0, 0.0], [1.0, nan, 0.0, 2.0], [1.0, 0.0, infinite, 2.0], [least; 4], [0.0, 0.0, 3.0, 0.0]];
    for dot in present() {
        let found = product(dot, left.as_flattened(), &weights);
        assert_eq!([&found[..3], &found[9..12]].concat(), [0.0; 6], "{}", dot.name());
        assert!(found[3..9].iter().all(|number| number.is_nan()), "{}: {found:?}", dot.name());
        // 127 · 72 by 3 / 127 and by a half.
        assert!(found[12..].iter().all(|number| (number - 108.0).abs() < 1e-4), "{}: {found:?}", dot.name());
    }
}

#[test]
fn scales_of_weights_that_are_no_numbers_make_their_columns_none() {
    let (codes, scales) = ([200_u8; 9], [f32::NAN, 0.0, -0.5]);
    let weights =
        CodedWeights { size: [3, 3], codes: &codes, code: Code::Int8, scales: Scales::Numbers(&scales), group: 4 };
    for (dot, rows) in present().flat_map(|dot| [(dot, 1), (dot, 20)]) {
        let found = product(dot, &vec![127.0; rows * 3], &weights);
        let right = |row: &[f32]| row[0].is_nan() && row[1] == 0.0 && row[2] == -0.5 * 3.0 * 127.0 * 72.0;
        assert!(found.chunks(3).all(right), "{}: {found:?}", dot.name());
    }
    let scales = Scales::Numbers(&[f32::NEG_INFINITY; 3]);
    let said = IntegerWeights::new(&CodedWeights { scales, ..weights }, ByteDot::Portable).unwrap_err().to_string();
    assert!(said.contains("a scale is infinite"), "{said}");
}

#[test]
fn ties_go_to_the_even_neighbour() {
    // A step of 1: the largest is 127.
    let left = [127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -126.5, 3.499_999_8];
    let mut codes = [128_u8; 8 * 8];
    (0..8).for_each(|place| codes[place * 9] = 129);
    let scales = [1.0; 8];
    let weights =
        CodedWeights { size: [8, 8], codes: &codes, code: Code::Int8, scales: Scales::Numbers(&scales), group: 8 };
    for dot in present() {
        let found = product(dot, &left, &weights);
        assert_eq!(found, [127.0, 0.0, 2.0, 2.0, 0.0, -2.0, -126.0, 3.0], "{}", dot.name());
    }
}

#[test]
fn weights_that_are_no_whole_numbers_or_too_many_are_refused() {
    let of = |code: Code, k: usize, codes: &[u8]| {
        let weights = CodedWeights { size: [k, 1], codes, code, scales: Scales::Numbers(&[1.0]), group: k };
        IntegerWeights::new(&weights, ByteDot::Portable).map(|weights| weights.bytes())
    };
    assert_eq!(of(Code::Int8, 4, &[1; 4]), Ok(8 * 4 + 8 * 4));
    let said = |answer: Result<usize, Error>| answer.unwrap_err().to_string();
    assert!(said(of(Code::E4m3, 4, &[1; 4])).contains("E4m3 stands for no whole numbers"));
    assert!(said(of(Code::Int8, (1 << 17) + 1, &[])).contains("a sum of 131073 products"));
    assert!(said(of(Code::Int4, 9, &[1; 8])).contains("holds 8 numbers"));
    let cut =
        CodedWeights { size: [9, 1], codes: &[1; 9], code: Code::Int8, scales: Scales::Numbers(&[1.0; 2]), group: 6 };
    let cut = IntegerWeights::new(&cut, ByteDot::Portable).map(|weights| weights.bytes());
    assert!(said(cut).contains("groups of 6 of 9 steps cut words of 4 codes"));
    if let Some(absent) = ByteDot::ALL.into_iter().find(|dot| !dot.present()) {
        let weights =
            CodedWeights { size: [1, 1], codes: &[1], code: Code::Int8, scales: Scales::Numbers(&[1.0]), group: 1 };
        assert!(IntegerWeights::new(&weights, absent).unwrap_err().to_string().contains(absent.name()));
    }
    let weights =
        CodedWeights { size: [1, 1], codes: &[1], code: Code::Int8, scales: Scales::Numbers(&[1.0]), group: 1 };
    let weights = IntegerWeights::new(&weights, ByteDot::detect()).unwrap();
    assert!(matmul_dynamic(2, &[1.0; 3], &weights, &mut [0.0; 2]).is_err());
    assert!(matmul_dynamic(2, &[1.0; 2], &weights, &mut [0.0; 3]).is_err());
    matmul_dynamic(0, &[], &weights, &mut []).unwrap();
}
