//! Products by weights that are decoded in registers: every code, sums of any number of rows, and what is refused.

use benchbook_formats::{Axis, E2M3, E3M2, Mx, Rounding, ScaleRule, e8m0};
use benchbook_simd::{Code, CodedWeights, Isa, PackedWeights, Product, Scales, matmul, matmul_packed};
use proptest::prelude::*;

use crate::common::{bytes, numbers, present, within};

/// Rows at most that are multiplied as their weights are decoded.
const FEW: usize = 8;

/// Random codes of a kind, none of them NaN.
fn codes(code: Code, count: usize, seed: u64) -> Vec<u8> {
    let mask = 255_u8 >> (8 - code.bits());
    bytes(count, seed)
        .iter()
        .map(|byte| if code.number((byte & mask).into()).is_nan() { 0 } else { byte & mask })
        .collect()
}

/// Codes that lie in words without gaps: of six bits in three, else in one.
fn together(code: Code) -> usize {
    if code.bits() == 6 { 16 } else { 32 / code.bits() }
}

/// What the weights stand for, exactly: products of two numbers of `f32`.
fn exact(weights: &CodedWeights) -> Vec<f64> {
    let [k, n] = weights.size;
    let one = |step: usize, column: usize| {
        let at = step / weights.group * n + column;
        let scale = match weights.scales {
            Scales::Numbers(scales) => scales[at],
            Scales::Powers(powers) => e8m0::decode(powers[at]),
        };
        f64::from(weights.code.number(weights.codes[step * n + column].into())) * f64::from(scale)
    };
    (0..k).flat_map(|step| (0..n).map(move |column| one(step, column))).collect()
}

/// The product of these rows on an instruction set.
fn product(isa: Isa, left: &[f32], weights: &CodedWeights) -> Vec<f32> {
    let [k, n] = weights.size;
    let rows = left.len() / k;
    let mut out = vec![f32::INFINITY; rows * n];
    matmul_packed(rows, left, &PackedWeights::new(weights, isa).unwrap(), &mut out).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn a_product_by_packed_weights_is_that_by_their_numbers(
        // One and several blocks of steps, few and many columns; rows on both sides of the bound.
        (m, k, n) in prop_oneof![
            (1..20_usize, 1..300_usize, 1..90_usize),
            (1..20_usize, 500..1200_usize, 1..70_usize),
            (1..14_usize, 1..90_usize, 250..600_usize),
        ],
        (kind, words, whole) in (0..6_usize, 1..12_usize, any::<bool>()),
        powers in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut values = [0.0; 16];
        values.copy_from_slice(&numbers(16, seed ^ 2));
        let code = [Code::Int4, Code::Int8, Code::E4m3, Code::E2m3, Code::E3m2, Code::Table(values)][kind];
        let group = if whole { k } else { words * together(code) };
        let (left, codes) = (numbers(m * k, seed), codes(code, k * n, !seed));
        let scales = numbers(k.div_ceil(group) * n, seed ^ 1);
        // Powers from 2⁻⁸ to 2⁷.
        let bytes: Vec<u8> = scales.iter().map(|scale| (119.0 + (scale + 1.0) * 7.9) as u8).collect();
        let scales = if powers { Scales::Powers(&bytes) } else { Scales::Numbers(&scales) };
        let weights = CodedWeights { size: [k, n], codes: &codes, code, scales, group };
        let (size, exact) = ([m, k, n], exact(&weights));
        let right: Vec<f32> = exact.iter().map(|number| *number as f32).collect();
        for isa in present() {
            let name = format!("{code:?} on {}", isa.name());
            let found = product(isa, &left, &weights);
            if m > FEW {
                let mut by_numbers = vec![f32::NAN; m * n];
                matmul(&Product { size, left: &left, right: &right, isa }, &mut by_numbers).unwrap();
                prop_assert_eq!(&found, &by_numbers, "{}", name);
                continue;
            }
            // A rounding for each step and each group, and one of the scale.
            within(&name, size, [&left, &found], &exact, k + k.div_ceil(group) + 1);
            for row in [0, m - 1] {
                let alone = product(isa, &left[row * k..][..k], &weights);
                prop_assert_eq!(&alone[..], &found[row * n..][..n], "{}: row {} alone", name, row);
            }
        }
    }
}

#[test]
fn every_code_is_its_number_in_every_place_of_a_word() {
    let values: [f32; 16] = std::array::from_fn(|place| 0.1 + place as f32 / 3.0);
    let all: Vec<u8> = (0..=255).collect();
    let finite: Vec<u8> = all.iter().copied().filter(|code| code % 128 != 127).collect();
    for (code, codes) in [
        (Code::Int4, &all[..16]),
        (Code::Table(values), &all[..16]),
        (Code::Int8, &all[..]),
        // With a code of NaN among them, and without.
        (Code::E4m3, &all[..]),
        (Code::E4m3, &finite[..]),
        (Code::E2m3, &all[..64]),
        (Code::E3m2, &all[..64]),
    ] {
        let n = codes.len();
        for (place, rows) in (0..together(code)).flat_map(|place| [(place, 1), (place, FEW), (place, FEW + 1)]) {
            // All other steps are of a code that is a number, times zero.
            let mut matrix = vec![1; (place + 3) * n];
            matrix[place * n..][..n].copy_from_slice(codes);
            let size = [place + 3, n];
            let scales = vec![1.0; n];
            let weights = CodedWeights { size, codes: &matrix, code, scales: Scales::Numbers(&scales), group: 64 };
            let left: Vec<f32> = (0..rows * size[0]).map(|at| f32::from(u8::from(at % size[0] == place))).collect();
            for isa in present() {
                let found = product(isa, &left, &weights);
                for (found, one) in found.iter().zip(codes.iter().cycle()) {
                    let right = code.number((*one).into());
                    let same = *found == right || (found.is_nan() && right.is_nan());
                    assert!(same, "{code:?} {one} at {place} on {}: {found}, not {right}", isa.name());
                }
            }
        }
    }
}

#[test]
fn every_power_of_two_is_a_scale() {
    let (powers, ones): (Vec<u8>, Vec<u8>) = (0..=255).map(|power| (power, 129)).unzip();
    let scales = Scales::Powers(&powers);
    let weights = CodedWeights { size: [1, 256], codes: &ones, code: Code::Int8, scales, group: 1 };
    for (isa, rows) in present().flat_map(|isa| [(isa, 1), (isa, FEW + 1)]) {
        let found = product(isa, &vec![1.0; rows], &weights);
        for (found, power) in found.iter().zip(powers.iter().cycle()) {
            let right = e8m0::decode(*power);
            assert!(*found == right || (found.is_nan() && right.is_nan()), "{power} on {}: {found}", isa.name());
        }
    }
}

#[test]
fn blocks_of_six_bits_are_the_numbers_of_their_format() {
    // The smallest scale, which is subnormal, those around one, the largest, with which most codes are infinite, and NaN.
    let scales = [0_u8, 1, 100, 126, 127, 128, 254, 255];
    let size = [1, 64 * scales.len()];
    for (code, element) in [(Code::E2m3, E2M3), (Code::E3m2, E3M2)] {
        let mx = Mx { element, rule: ScaleRule::Floor, rounding: Rounding::NearestEven };
        let mut blocks = mx.quantised(&vec![0.0; size[1]], size, Axis::Rows).unwrap();
        (blocks.codes, blocks.scales) =
            scales.iter().flat_map(|scale| (0..64_u8).map(move |code| (code, *scale))).unzip();
        let right = blocks.dequantised();
        let scales = Scales::Powers(&blocks.scales);
        let weights = CodedWeights { size, codes: &blocks.codes, code, scales, group: 32 };
        for (isa, rows) in present().flat_map(|isa| [(isa, 1), (isa, 2), (isa, FEW), (isa, FEW + 1), (isa, 16)]) {
            let found = product(isa, &vec![1.0; rows], &weights);
            for (at, (found, right)) in found.iter().zip(right.iter().cycle()).enumerate() {
                // A sum that begins with zero has none below zero.
                let same = found.to_bits() == (right + 0.0).to_bits() || (found.is_nan() && right.is_nan());
                assert!(same, "{code:?} at {at} on {}: {found}, not {right}", isa.name());
            }
        }
    }
}

#[test]
fn scales_that_are_no_numbers_make_their_columns_none() {
    let (codes, scales) = ([129_u8; 6], [f32::NAN, 0.0, 2.0]);
    let weights =
        CodedWeights { size: [2, 3], codes: &codes, code: Code::Int8, scales: Scales::Numbers(&scales), group: 4 };
    for (isa, rows) in present().flat_map(|isa| [(isa, 1), (isa, FEW + 1)]) {
        let found = product(isa, &vec![1.5; rows * 2], &weights);
        assert!(found.chunks(3).all(|row| row[0].is_nan() && row[1..] == [0.0, 6.0]), "{}: {found:?}", isa.name());
    }
}

#[test]
fn one_step_one_column_and_weights_all_alike_are_products_too() {
    let values: [f32; 16] = std::array::from_fn(|place| place as f32 - 5.0);
    // The lowest number, zero, and of e4m3 the largest, the smallest and the zero below zero.
    for (code, one) in [
        (Code::Int4, 0_u8),
        (Code::Int4, 8),
        (Code::Int8, 0),
        (Code::Int8, 128),
        (Code::E4m3, 0x7e),
        (Code::E4m3, 0x01),
        (Code::E4m3, 0x80),
        (Code::E2m3, 0x1f),
        (Code::E2m3, 0x20),
        (Code::E3m2, 0x1f),
        (Code::E3m2, 0x21),
        (Code::Table(values), 0),
        (Code::Table(values), 5),
    ] {
        for (size, rows) in [[1, 1], [1, 37], [37, 1]].into_iter().flat_map(|size| [(size, 1), (size, FEW + 1)]) {
            let [k, n] = size;
            let (codes, scales) = (vec![one; k * n], vec![0.5; n]);
            let weights = CodedWeights { size, codes: &codes, code, scales: Scales::Numbers(&scales), group: k };
            // Every sum is exact.
            let right = k as f32 * 0.5 * code.number(one.into());
            for isa in present() {
                let found = product(isa, &vec![1.0; rows * k], &weights);
                assert_eq!(found, vec![right; rows * n], "{rows} rows by {one} of {code:?} on {}", isa.name());
            }
        }
    }
}

#[test]
fn weights_that_cannot_be_packed_are_refused() {
    let (codes, scales) = ([15_u8; 60], [1.0_f32; 9]);
    let asked = |code: Code, codes: &[u8], scales: &[f32], group: usize| {
        let weights = CodedWeights { size: [20, 3], codes, code, scales: Scales::Numbers(scales), group };
        PackedWeights::new(&weights, Isa::Portable).map(|packed| packed.bytes()).map_err(|error| error.to_string())
    };
    // Eight columns: of four bits three words each, of eight bits five, and of six bits twice three.
    assert_eq!(asked(Code::Int4, &codes, &scales, 8), Ok(8 * 3 * 4 + 8 * 3 * 4));
    assert_eq!(asked(Code::E4m3, &codes, &scales[..3], 20), Ok(8 * 5 * 4 + 8 * 4));
    assert_eq!(asked(Code::E2m3, &codes, &scales[..6], 16), Ok(8 * 6 * 4 + 8 * 2 * 4));
    for (answer, part) in [
        (asked(Code::Bf16, &codes, &scales, 8), "a code of one byte is no bf16"),
        (asked(Code::Int4, &codes, &scales, 0), "a group of 0 steps"),
        (asked(Code::Int4, &codes, &scales, 12), "groups of 12 of 20 steps cut words of 8 codes"),
        (asked(Code::Int8, &codes, &scales, 10), "take a multiple of 4, or all steps"),
        (asked(Code::E3m2, &codes, &scales, 8), "groups of 8 of 20 steps cut words of 16 codes"),
        (asked(Code::E3m2, &[64; 60], &scales[..6], 16), "64 is no code of 6 bits"),
        (asked(Code::Int4, &codes[1..], &scales, 8), "the codes of the right factor holds 59 numbers"),
        (asked(Code::Int4, &codes, &scales[1..], 8), "the scales of the right factor holds 8 numbers"),
        (asked(Code::Int4, &[16; 60], &scales, 8), "16 is no code of 4 bits"),
        (asked(Code::Int4, &codes, &[f32::INFINITY; 9], 8), "a scale is infinite"),
    ] {
        assert!(answer.clone().is_err_and(|said| said.contains(part)), "{part}: {answer:?}");
    }
    let weights =
        CodedWeights { size: [1, 1], codes: &[8], code: Code::Int4, scales: Scales::Numbers(&[1.0]), group: 1 };
    let packed = PackedWeights::new(&weights, Isa::detect()).unwrap();
    for rows in [1, FEW + 1] {
        assert!(matmul_packed(rows, &vec![1.0; rows + 1], &packed, &mut vec![0.0; rows]).is_err());
        assert!(matmul_packed(rows, &vec![1.0; rows], &packed, &mut vec![0.0; rows + 1]).is_err());
    }
    // Nothing to add up, and nothing to give.
    let none = CodedWeights { size: [0, 2], codes: &[], code: Code::Int8, scales: Scales::Numbers(&[]), group: 4 };
    let mut out = [7.0; 2];
    matmul_packed(1, &[], &PackedWeights::new(&none, Isa::detect()).unwrap(), &mut out).unwrap();
    assert_eq!(out, [0.0; 2]);
    matmul_packed(0, &[], &packed, &mut []).unwrap();
}
