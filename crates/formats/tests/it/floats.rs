//! Floats of few bits beside gfloat and ml_dtypes: every code, and six numbers to each upper half of an `f32`.

use benchbook_formats::{BF16, Cut, F16, Minifloat, Overflow, Rounding};

use crate::help::{crc_of, draw, fixture};

/// Lower halves of bits: nothing, just above it, around half a step of `bf16`, and just below a whole one. Whatever is a tie in
/// one of the formats is among these numbers, and so are its neighbours.
const LOWS: [u32; 6] = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];

fn numbers() -> impl Iterator<Item = f32> {
    (0..1 << 16_u32).flat_map(|upper| LOWS.map(|low| f32::from_bits((upper << 16) | low)))
}

/// Checksums of the codes of sixteen parts of [`numbers`]; what has no code is 255.
fn checksums(format: &Minifloat, overflow: Overflow, rounding: Rounding) -> Vec<u32> {
    let mut bytes = Vec::new();
    for (place, number) in numbers().enumerate() {
        match format.encode(number, overflow, rounding.at(place)) {
            Some(code) if format.bits() == 16 => bytes.extend(code.to_le_bytes()),
            Some(code) => bytes.push(u8::try_from(code).unwrap()),
            None => bytes.push(u8::MAX),
        }
    }
    bytes.chunks_exact(bytes.len() / 16).map(crc32fast::hash).collect()
}

#[test]
fn numbers_have_the_codes_that_other_libraries_give_them() {
    for format in Minifloat::ALL {
        for (mode, overflow) in [("special", Overflow::Special), ("saturate", Overflow::Saturate)] {
            let found = checksums(&format, overflow, Rounding::NearestEven);
            assert_eq!(found, fixture(&format!("{}/{mode}", format.name)), "{} {mode}", format.name);
        }
    }
}

#[test]
fn the_same_draws_round_to_the_same_codes() {
    for format in Minifloat::ALL {
        let found = checksums(&format, Overflow::Saturate, Rounding::Stochastic { seed: 7 });
        assert_eq!(found, fixture(&format!("{}/stochastic", format.name)), "{}", format.name);
    }
}

#[test]
fn codes_have_the_values_that_other_libraries_give_them() {
    for format in Minifloat::ALL {
        let values = (0..1_u32 << format.bits()).map(|code| format.decode(code as u16));
        let values: Vec<f32> =
            values.map(|value| if value.is_nan() { f32::from_bits(0x7fc0_0000) } else { value }).collect();
        assert_eq!(vec![crc_of(&values)], fixture(&format!("{}/values", format.name)), "{}", format.name);
    }
}

#[test]
fn every_code_is_the_code_of_its_value() {
    for format in Minifloat::ALL {
        for code in 0..=u16::MAX >> (16 - format.bits()) {
            let value = format.decode(code);
            for overflow in [Overflow::Special, Overflow::Saturate] {
                for cut in [Cut::NearestEven, Cut::Random(0), Cut::Random(u32::MAX)] {
                    let back = format.encode(value, overflow, cut);
                    let clamped = value.is_infinite() && overflow == Overflow::Saturate;
                    let same = match back.map(|back| format.decode(back)) {
                        Some(back) if value.is_nan() => back.is_nan(),
                        Some(back) if clamped => back == format.largest().copysign(value),
                        _ => back == Some(code),
                    };
                    assert!(same, "{} {code:#x} {overflow:?} {cut:?}: {value} became {back:?}", format.name);
                }
            }
        }
    }
}

#[test]
fn halves_are_those_of_the_crate_half() {
    for number in numbers().chain((0..1 << 16).map(|place| f32::from_bits(draw(3, place)))) {
        let of = |format: Minifloat| format.encode(number, Overflow::Special, Cut::NearestEven).unwrap();
        let [binary16, brain] = [half::f16::from_f32(number).to_bits(), half::bf16::from_f32(number).to_bits()];
        if number.is_nan() {
            assert!(half::f16::from_bits(of(F16)).is_nan() && half::bf16::from_bits(of(BF16)).is_nan());
        } else {
            assert_eq!((of(F16), of(BF16)), (binary16, brain), "{number:e}");
        }
    }
}
