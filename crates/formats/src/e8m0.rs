//! Scales that are powers of two, in a byte: E8M0 of OCP Microscaling Formats 1.0, section 5.4.1.

use crate::minifloat::{Minifloat, power_of_two};

/// The code of NaN.
pub const NAN: u8 = 255;

/// What is taken from a code, and so the code of 1.
const BIAS: i32 = 127;

/// The bits of a mantissa in `f32`.
const MANTISSA: u32 = 0x7f_ffff;

/// The power of two that a code stands for, from 2⁻¹²⁷ (which is subnormal in `f32`) to 2¹²⁷. There is no zero.
pub const fn decode(code: u8) -> f32 {
    if code == NAN { f32::NAN } else { power_of_two(code as i32 - BIAS) }
}

/// How the scale of a block follows from the largest absolute value in it, where elements have the largest exponent `e`, the
/// largest number `m`, and so many mantissa bits.
///
/// Scales are kept within those that there are. The names are those of torchao's `ScaleCalculationMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScaleRule {
    /// 2^(⌊log₂ largest⌋ − e): OCP Microscaling Formats 1.0, section 6.3. What is above the largest element is clamped.
    Floor,
    /// 2^(⌈log₂ largest⌉ − e): nothing is clamped, and up to a binade of what elements can be is not used.
    Ceil,
    /// As [`Self::Floor`], of the largest value rounded half up to the mantissa bits of an element (`even_round` of Quark).
    Even,
    /// The smallest power of two that is no less than largest / m, which is rounded to `f32` first (NVIDIA's cuBLAS, "1D block
    /// scaling factors"): nothing is clamped. torchao rounds the logarithm, and is a step lower for some quotients that are just
    /// above a power of two.
    Rceil,
}

impl ScaleRule {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::Floor, Self::Ceil, Self::Even, Self::Rceil];

    /// The code of the scale for a block with this largest absolute value: [`NAN`] where that is NaN. An infinity has the code
    /// that the binade above all numbers would have; a block of zeros has the smallest scale.
    pub const fn scale(self, largest: f32, element: &Minifloat) -> u8 {
        if largest.is_nan() {
            return NAN;
        }
        let bits = largest.abs().to_bits();
        let power = match self {
            Self::Floor => bits >> 23,
            Self::Ceil => round_up(bits),
            Self::Even => (bits + (1 << (22 - element.mantissa_bits))) >> 23,
            Self::Rceil => return within(round_up((largest.abs() / element.largest()).to_bits()) as i32),
        };
        within(power as i32 - element.largest_exponent())
    }
}

/// The biased exponent of the smallest power of two that is no less than the number of these bits, where 0 is 2⁻¹²⁷.
const fn round_up(bits: u32) -> u32 {
    let (field, mantissa) = (bits >> 23, bits & MANTISSA);
    if field == 0 { (mantissa > 1 << 22) as u32 } else { field + (mantissa > 0) as u32 }
}

const fn within(power: i32) -> u8 {
    if power < 0 {
        0
    } else if power > 254 {
        254
    } else {
        power as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{E2M1, E4M3FN};

    #[test]
    fn codes_are_powers_of_two() {
        for code in 0..255_u8 {
            assert_eq!(f64::from(decode(code)), 2.0_f64.powi(i32::from(code) - 127), "{code}");
        }
        assert!(decode(255).is_nan());
    }

    #[test]
    fn rules_differ_at_the_edges_of_a_binade() {
        // For four bits: e is 2, m is 6. The smallest number above 4 is in the next binade for `Ceil` alone.
        let of = |largest: f32| ScaleRule::ALL.map(|rule| i32::from(rule.scale(largest, &E2M1)) - 127);
        assert_eq!(of(4.0_f32.next_down()), [-1, 0, 0, 0]);
        assert_eq!(of(4.0), [0, 0, 0, 0]);
        assert_eq!(of(4.0_f32.next_up()), [0, 1, 0, 0]);
        assert_eq!(of(6.0), [0, 1, 0, 0]);
        assert_eq!(of(6.0_f32.next_up()), [0, 1, 0, 1]);
        assert_eq!(of(7.0_f32.next_down()), [0, 1, 0, 1]);
        assert_eq!(of(7.0), [0, 1, 1, 1]);
        assert_eq!(of(8.0_f32.next_down()), [0, 1, 1, 1]);
        // pytorch/ao#2035: of 150, the smallest scale without an overflow is 2⁻¹, and `Ceil` takes 2⁰.
        let ao = |rule: ScaleRule| i32::from(rule.scale(150.0, &E4M3FN)) - 127;
        assert_eq!(ScaleRule::ALL.map(ao), [-1, 0, -1, -1]);
    }

    #[test]
    fn what_has_no_exponent_has_a_scale_all_the_same() {
        for rule in ScaleRule::ALL {
            assert_eq!(rule.scale(0.0, &E2M1), 0);
            assert_eq!(rule.scale(f32::from_bits(1), &E4M3FN), 0);
            assert_eq!(rule.scale(f32::NAN, &E2M1), NAN);
            // An infinity comes back as one: the largest element times the scale is above all numbers of `f32`.
            assert_eq!(decode(rule.scale(f32::INFINITY, &E4M3FN)) * E4M3FN.largest(), f32::INFINITY);
            assert!(rule.scale(f32::MAX, &E2M1) < NAN);
        }
    }
}
