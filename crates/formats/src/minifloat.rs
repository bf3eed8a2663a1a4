//! Floats of few bits: one description, one decoder and one encoder for all of them.

use crate::rounding::{Cut, Overflow};

/// A float of a sign, some exponent bits and some mantissa bits, with subnormals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minifloat {
    /// Its name in the literature.
    pub name: &'static str,
    /// Bits of the exponent.
    pub exponent_bits: u32,
    /// Bits of the mantissa that are stored.
    pub mantissa_bits: u32,
    /// What is taken from a stored exponent.
    pub bias: i32,
    /// Which codes are no finite numbers.
    pub specials: Specials,
}

/// Which codes of a format are no finite numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Specials {
    /// As in IEEE 754: the highest exponent is that of the infinities and of NaN.
    Ieee,
    /// Exponent and mantissa all ones are NaN, with either sign, and there is no infinity (`fn`).
    AllOnes,
    /// What would be −0 is the one NaN; there is neither an infinity nor −0 (`fnuz`).
    NegativeZero,
    /// None: every code is a finite number.
    Nothing,
}

/// OCP OFP8, section 5: four exponent bits, no infinity, 448 at most.
pub const E4M3FN: Minifloat = float("e4m3fn", [4, 3], 7, Specials::AllOnes);
/// OCP OFP8, section 5: five exponent bits, 57344 at most.
pub const E5M2: Minifloat = float("e5m2", [5, 2], 15, Specials::Ieee);
/// Four exponent bits, one NaN, 240 at most (Noune et al., arXiv 2206.02915).
pub const E4M3FNUZ: Minifloat = float("e4m3fnuz", [4, 3], 8, Specials::NegativeZero);
/// Five exponent bits, one NaN, 57344 at most (Noune et al., arXiv 2206.02915).
pub const E5M2FNUZ: Minifloat = float("e5m2fnuz", [5, 2], 16, Specials::NegativeZero);
/// OCP Microscaling Formats 1.0, section 5.3.2: six bits, 7.5 at most.
pub const E2M3: Minifloat = float("e2m3", [2, 3], 1, Specials::Nothing);
/// OCP Microscaling Formats 1.0, section 5.3.2: six bits, 28 at most.
pub const E3M2: Minifloat = float("e3m2", [3, 2], 3, Specials::Nothing);
/// OCP Microscaling Formats 1.0, section 5.3.3: four bits, 0, 0.5, 1, 1.5, 2, 3, 4, 6.
pub const E2M1: Minifloat = float("e2m1", [2, 1], 1, Specials::Nothing);
/// IEEE 754 binary16.
pub const F16: Minifloat = float("f16", [5, 10], 15, Specials::Ieee);
/// The upper half of a binary32.
pub const BF16: Minifloat = float("bf16", [8, 7], 127, Specials::Ieee);

const fn float(
    name: &'static str,
    [exponent_bits, mantissa_bits]: [u32; 2],
    bias: i32,
    specials: Specials,
) -> Minifloat {
    Minifloat { name, exponent_bits, mantissa_bits, bias, specials }
}

/// The bits of infinity in `f32`: whatever is above them is NaN.
const INFINITY: u32 = 0x7f80_0000;

impl Minifloat {
    /// Every format of this module.
    pub const ALL: [Self; 9] = [E4M3FN, E5M2, E4M3FNUZ, E5M2FNUZ, E2M3, E3M2, E2M1, F16, BF16];

    /// Bits of a code: the lowest of the 16 or 8 that it is given in; what lies above them is ignored.
    pub const fn bits(&self) -> u32 {
        1 + self.exponent_bits + self.mantissa_bits
    }

    /// The largest finite number.
    pub const fn largest(&self) -> f32 {
        self.decode(self.largest_code())
    }

    /// The exponent of the largest finite number: 8 where that is 448.
    pub const fn largest_exponent(&self) -> i32 {
        (self.largest_code() >> self.mantissa_bits) as i32 - self.bias
    }

    /// The code of NaN, if there is one: the quiet one without a payload.
    pub const fn nan(&self) -> Option<u16> {
        match self.specials {
            Specials::Ieee => Some(self.infinity() | (1 << (self.mantissa_bits - 1))),
            Specials::AllOnes => Some(self.sign() - 1),
            Specials::NegativeZero => Some(self.sign()),
            Specials::Nothing => None,
        }
    }

    /// The number that a code stands for: all of them are numbers of `f32`.
    pub const fn decode(&self, code: u16) -> f32 {
        let (negative, code) = (code & self.sign() != 0, code & (self.sign() - 1));
        let magnitude = match self.specials {
            Specials::Ieee if code == self.infinity() => f32::INFINITY,
            Specials::Ieee if code > self.infinity() => f32::NAN,
            Specials::AllOnes if code == self.sign() - 1 => f32::NAN,
            Specials::NegativeZero if code == 0 && negative => f32::NAN,
            _ => self.finite(code),
        };
        if negative { -magnitude } else { magnitude }
    }

    /// The number of each code, in the order of the codes: a table for kernels.
    ///
    /// # Panics
    /// If `N` is another number than there are codes; in a constant, that does not compile.
    pub const fn values<const N: usize>(&self) -> [f32; N] {
        assert!(N == 1 << self.bits(), "a table has as many values as there are codes");
        let (mut values, mut code) = ([0.0; N], 0);
        while code < N {
            values[code] = self.decode(code as u16);
            code += 1;
        }
        values
    }

    /// The same of every byte, of which only the codes are used.
    pub(crate) fn table(&self) -> [f32; 256] {
        std::array::from_fn(|code| self.decode(code as u16))
    }

    /// The code of a number, rounded once. NaN keeps its sign where the format has two of them, and loses its payload.
    ///
    /// Nothing where there is none: NaN in a format without it, and what overflows to it there.
    pub const fn encode(&self, number: f32, overflow: Overflow, cut: Cut) -> Option<u16> {
        let (negative, magnitude) = (number.to_bits() >> 31 == 1, number.to_bits() & 0x7fff_ffff);
        let code = if magnitude > INFINITY {
            self.nan()
        } else if magnitude == INFINITY {
            self.beyond(overflow)
        } else {
            let code = self.steps(magnitude, cut);
            if code > self.largest_code() as u32 { self.beyond(overflow) } else { Some(code as u16) }
        };
        match code {
            Some(0) if negative && matches!(self.specials, Specials::NegativeZero) => code,
            Some(code) if negative => Some(code | self.sign()),
            _ => code,
        }
    }

    const fn sign(&self) -> u16 {
        1 << (self.bits() - 1)
    }

    /// The code of infinity where the format has one.
    const fn infinity(&self) -> u16 {
        ((1 << self.exponent_bits) - 1) << self.mantissa_bits
    }

    const fn largest_code(&self) -> u16 {
        match self.specials {
            Specials::Ieee => self.infinity() - 1,
            Specials::AllOnes => self.sign() - 2,
            Specials::NegativeZero | Specials::Nothing => self.sign() - 1,
        }
    }

    /// The number of a code without its sign, that is none of the specials.
    const fn finite(&self, code: u16) -> f32 {
        let (exponent, mantissa) = ((code >> self.mantissa_bits) as i32, code & ((1 << self.mantissa_bits) - 1));
        let (whole, exponent) =
            if exponent == 0 { (mantissa, 1) } else { (mantissa | (1 << self.mantissa_bits), exponent) };
        whole as f32 * power_of_two(exponent - self.bias - self.mantissa_bits as i32)
    }

    /// The code of what is too large.
    const fn beyond(&self, overflow: Overflow) -> Option<u16> {
        match (overflow, self.specials) {
            (Overflow::Saturate, _) => Some(self.largest_code()),
            (Overflow::Special, Specials::Ieee) => Some(self.infinity()),
            (Overflow::Special, _) => self.nan(),
        }
    }

    /// The code of a finite number, by its bits in `f32`, as if codes had no end.
    ///
    /// Codes count the numbers of a format from zero on, so that one that is rounded up to the next power of two has the right
    /// code by itself.
    const fn steps(&self, magnitude: u32, cut: Cut) -> u32 {
        let (field, mantissa) = ((magnitude >> 23) as i32, magnitude & 0x7f_ffff);
        let (significand, exponent) = if field == 0 { (mantissa, -126) } else { (mantissa | 0x80_0000, field - 127) };
        let lowest = 1 - self.bias;
        let here = if exponent > lowest { exponent } else { lowest };
        // Bits of the significand that are below a step of the format; of what lies so low, a draw sees nothing either.
        let below = 23 - self.mantissa_bits as i32 + here - exponent;
        let below = if below > 63 { 63 } else { below };
        let significand = significand as u64;
        let (kept, rest) = (significand >> below, significand & ((1 << below) - 1));
        let up = match cut {
            Cut::NearestEven => {
                let half = 1_u64 << (below - 1);
                rest > half || (rest == half && kept & 1 == 1)
            }
            Cut::Random(bits) => ((rest << 32) >> below) + bits as u64 >= 1 << 32,
        };
        kept as u32 + up as u32 + (((here - lowest) as u32) << self.mantissa_bits)
    }
}

/// Two to this power, from −149 to 127.
pub(crate) const fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(if exponent < -126 { 1 << (exponent + 149) } else { ((exponent + 127) as u32) << 23 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_the_ends_of_their_standards() {
        let ends = |format: &Minifloat| (format.largest(), format.largest_exponent(), format.decode(1), format.bits());
        for (format, expected) in [
            (E4M3FN, (448.0, 8, 2.0_f32.powi(-9), 8)),
            (E5M2, (57344.0, 15, 2.0_f32.powi(-16), 8)),
            (E4M3FNUZ, (240.0, 7, 2.0_f32.powi(-10), 8)),
            (E5M2FNUZ, (57344.0, 15, 2.0_f32.powi(-17), 8)),
            (E2M3, (7.5, 2, 0.125, 6)),
            (E3M2, (28.0, 4, 0.0625, 6)),
            (E2M1, (6.0, 2, 0.5, 4)),
            (F16, (65504.0, 15, 2.0_f32.powi(-24), 16)),
            (BF16, (f32::from_bits(0x7f7f_0000), 127, f32::from_bits(0x1_0000), 16)),
        ] {
            assert_eq!(ends(&format), expected, "{}", format.name);
        }
        const VALUES: [f32; 16] = E2M1.values();
        assert_eq!(VALUES[..8], [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]);
        assert!(VALUES[8].is_sign_negative() && VALUES[8] == 0.0 && VALUES[15] == -6.0);
    }

    #[test]
    fn what_is_no_finite_number_has_the_codes_of_its_standard() {
        let codes = |format: Minifloat, overflow| {
            [f32::NAN.copysign(1.0), f32::INFINITY, f32::NEG_INFINITY, 1e30, -0.0, -1e-30]
                .map(|number| format.encode(number, overflow, Cut::NearestEven))
        };
        let some = |codes: [u16; 6]| codes.map(Some);
        assert_eq!(codes(E4M3FN, Overflow::Special), some([0x7f, 0x7f, 0xff, 0x7f, 0x80, 0x80]));
        assert_eq!(codes(E4M3FN, Overflow::Saturate), some([0x7f, 0x7e, 0xfe, 0x7e, 0x80, 0x80]));
        assert_eq!(codes(E5M2, Overflow::Special), some([0x7e, 0x7c, 0xfc, 0x7c, 0x80, 0x80]));
        assert_eq!(codes(E5M2, Overflow::Saturate), some([0x7e, 0x7b, 0xfb, 0x7b, 0x80, 0x80]));
        assert_eq!(codes(E4M3FNUZ, Overflow::Special), some([0x80, 0x80, 0x80, 0x80, 0, 0]));
        assert_eq!(codes(E5M2FNUZ, Overflow::Saturate), some([0x80, 0x7f, 0xff, 0x7f, 0, 0]));
        assert_eq!(codes(E2M1, Overflow::Special), [None, None, None, None, Some(8), Some(8)]);
        assert_eq!(codes(E3M2, Overflow::Saturate), [None, Some(31), Some(63), Some(31), Some(32), Some(32)]);
    }

    #[test]
    fn the_largest_number_ends_half_a_step_above_itself() {
        let of = |format: Minifloat, number| format.encode(number, Overflow::Special, Cut::NearestEven);
        // The last code is even, so that a tie is the largest number still.
        assert_eq!([464.0, 464.00003].map(|number| of(E4M3FN, number)), [Some(0x7e), Some(0x7f)]);
        // The last code is odd, so that a tie is too large.
        assert_eq!([61439.996, 61440.0].map(|number| of(E5M2, number)), [Some(0x7b), Some(0x7c)]);
        assert_eq!([6.999, 7.0].map(|number| of(E2M1, number)), [Some(7), None]);
    }
}
