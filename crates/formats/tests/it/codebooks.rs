//! NF4 and its doubled scales beside bitsandbytes.

use benchbook_formats::{Axis, DYNAMIC, Doubled, Groups, NF4, Order, packed};

use crate::help::{crc_of, fixture, matrix};

/// 300 blocks of 64, one of them of zeros, and half a one.
fn numbers() -> Vec<f32> {
    let mut numbers = matrix(300, 64, 17);
    numbers[5 * 64..6 * 64].fill(0.0);
    numbers.extend_from_within(..32);
    numbers
}

#[test]
fn tables_are_those_of_bitsandbytes() {
    let bits: Vec<u32> = NF4.values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, fixture("codebook/nf4"));
    assert_eq!(vec![crc_of(DYNAMIC.values)], fixture("codebook/dynamic"));
}

#[test]
fn codes_scales_and_numbers_are_those_of_bitsandbytes() {
    let numbers = numbers();
    let groups = Groups::new([1, numbers.len()], Axis::Columns, 64).unwrap();
    let found = NF4.quantised(&numbers, &groups).unwrap();
    // Two to a byte, the first in the high nibble.
    let codes = packed(&found.codes, numbers.len(), NF4.bits, Order::HighFirst);
    assert_eq!(vec![crc32fast::hash(&codes), crc_of(&found.scales)], fixture("nf4/codes"));
    // Without the sign of zero.
    let back: Vec<f32> = found.dequantised().iter().map(|number| number + 0.0).collect();
    assert_eq!(vec![crc_of(&back)], fixture("nf4/numbers"));
}

#[test]
fn doubled_scales_are_those_of_bitsandbytes() {
    let numbers = numbers();
    let groups = Groups::new([1, numbers.len()], Axis::Columns, 64).unwrap();
    let scales = NF4.quantised(&numbers, &groups).unwrap().scales;
    let [offset, codes, of_scales, back] = fixture("nf4/doubled")[..] else { panic!("four words") };
    // A mean depends on the order of its sums: theirs are in f32, and no sum of 301 rounds by more than 300 · 2⁻²⁴ of itself.
    let theirs = f32::from_bits(offset);
    let ours = Doubled::new(&scales).unwrap().offset;
    assert!((ours - theirs).abs() <= 300.0 * 2.0_f32.powi(-24) * theirs, "{ours} for {theirs}");
    let doubled = Doubled::with_offset(&scales, theirs).unwrap();
    let found = [crc32fast::hash(&doubled.coded.codes), crc_of(&doubled.coded.scales), crc_of(&doubled.scales())];
    assert_eq!(found, [codes, of_scales, back]);
}
