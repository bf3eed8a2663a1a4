//! MX blocks beside torchao, whose elements gfloat has rounded again.

use benchbook_formats::{Axis, BLOCK, E2M1, E2M3, E3M2, E4M3FN, E5M2, Mx, Rounding, ScaleRule};

use crate::help::{draw, fixture};

/// Mantissas of the largest value of a block: the ends of a binade, and those of the elements' largest numbers.
const MANTISSAS: [u32; 16] = [
    0, 1, 0x7f_ffff, 0x3f_ffff, 0x40_0000, 0x40_0001, 0x5f_ffff, 0x60_0000, 0x60_0001, 0x6f_ffff, 0x70_0000, 0x70_0001,
    0x20_0000, 0x77_ffff, 0x78_0000, 0x12_3456,
];

/// Of each exponent and each of the mantissas a block whose largest value has them.
fn numbers() -> Vec<f32> {
    let one = |place: usize| {
        let (block, bits) = (place / BLOCK, draw(11, place));
        let exponent = (block % 255) as u32;
        let field = exponent.saturating_sub(1 + ((bits >> 23) & 7));
        let largest = MANTISSAS[block / 255] | (exponent << 23) | (bits & 0x8000_0000);
        let other = (bits & 0x807f_ffff) | (field << 23);
        f32::from_bits(if place.is_multiple_of(BLOCK) { largest } else { other })
    };
    (0..MANTISSAS.len() * 255 * BLOCK).map(one).collect()
}

#[test]
fn scales_and_elements_are_those_of_torchao() {
    let numbers = numbers();
    let shape = [numbers.len() / BLOCK, BLOCK];
    for element in [E4M3FN, E5M2, E2M3, E3M2, E2M1] {
        for (name, rule) in ["floor", "ceil", "even", "rceil"].into_iter().zip(ScaleRule::ALL) {
            let mx = Mx { element, rule, rounding: Rounding::NearestEven };
            let found = mx.quantised(&numbers, shape, Axis::Columns).unwrap();
            let parts = found.scales.chunks_exact(255).zip(found.codes.chunks_exact(255 * BLOCK));
            let found: Vec<u32> = parts.map(|(scales, codes)| crc32fast::hash(&[scales, codes].concat())).collect();
            assert_eq!(found, fixture(&format!("mx/{}/{name}", element.name)), "{} {name}", element.name);
        }
    }
}

#[test]
fn columns_are_blocks_as_rows_are() {
    let numbers = &numbers()[..4 * 255 * BLOCK];
    let (down, across) = (4 * BLOCK, 255);
    let turned: Vec<f32> = (0..numbers.len()).map(|place| numbers[place % down * across + place / down]).collect();
    for rounding in [Rounding::NearestEven, Rounding::Stochastic { seed: 5 }] {
        let mx = Mx { element: E2M1, rule: ScaleRule::Rceil, rounding };
        let one = mx.quantised(numbers, [down, across], Axis::Rows).unwrap();
        let other = mx.quantised(&turned, [across, down], Axis::Columns).unwrap();
        let scales: Vec<u8> = (0..one.scales.len()).map(|place| one.scales[place % 4 * across + place / 4]).collect();
        assert_eq!(scales, other.scales);
        let same =
            (0..numbers.len()).all(|place| one.codes[place % down * across + place / down] == other.codes[place]);
        // A draw belongs to a place, and a number has another one here.
        assert_eq!(same, rounding == Rounding::NearestEven);
    }
}
