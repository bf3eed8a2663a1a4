//! Registers of words of 32 bits, and the numbers that the codes within them stand for.
//!
//! A number is the same to the bit on every instruction set, subnormal and NaN included.
#![expect(unsafe_code, reason = "instructions that not every CPU has, and pointers, whose bounds callers check")]

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::portable::Lanes;
use crate::vector::Vector;

/// The sign, and where the seven other bits of an e4m3fn lie in an `f32` as its exponent's last four and its mantissa's first
/// three bits: 2¹²⁰ times that `f32` is the number, subnormals included.
const E4M3: u32 = 0x87f0_0000;

/// All of those bits but the sign: NaN, where each is set.
const E4M3_NAN: u32 = 0x07f0_0000;

/// What such an `f32` is multiplied by.
const E4M3_FACTOR: f32 = f32::from_bits((120 + 127) << 23);

/// The sign of an `f32`.
const SIGN: u32 = 0x8000_0000;

/// The half of a word in which an `f32` has its bf16.
const UPPER: u32 = 0xffff_0000;

/// The smallest power of two of E8M0, subnormal in `f32`.
const LEAST_POWER: u32 = 0x0040_0000;

/// A register of numbers, beside one of as many words.
///
/// # Safety
/// `Words` has as many words of 32 bits as `Self` has numbers, and `words` and `powers` read no more.
pub unsafe trait Bits: Vector {
    /// A register of words.
    type Words: Copy;

    /// Sixteen numbers to choose from.
    type Table: Copy;

    /// What makes numbers of floats of six bits.
    type Six: Copy;

    /// Whether one look-up chooses among sixteen numbers.
    const LOOKS_UP: bool = false;

    /// # Safety
    /// `LANES` words can be read at `from`, aligned or not.
    unsafe fn words(from: *const u32) -> Self::Words;

    /// Words with those bits turned over that are set in `mask`.
    ///
    /// # Safety
    /// As for every method of this trait: the CPU has the instruction set.
    unsafe fn turned(words: Self::Words, mask: u32) -> Self::Words;

    /// The signed integers in `bits` bits of each word from bit `at` on.
    ///
    /// # Safety
    /// The CPU has the instruction set, and the word has these bits.
    unsafe fn signed(words: Self::Words, at: u32, bits: u32) -> Self;

    /// The e4m3fn in the byte of each word from bit `at` on; where `NAN` is false, NaN is taken for 480.
    ///
    /// # Safety
    /// The CPU has the instruction set, and the word has this byte.
    unsafe fn e4m3<const NAN: bool>(words: Self::Words, at: u32) -> Self;

    /// The bf16 in the half of each word from bit `at` on.
    ///
    /// # Safety
    /// The CPU has the instruction set, and the word has this half.
    unsafe fn bf16(words: Self::Words, at: u32) -> Self;

    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn table(values: &[f32; 16]) -> Self::Table;

    /// The numbers that four bits of each word choose, from bit `at` on.
    ///
    /// # Safety
    /// The CPU has the instruction set, and the word has these bits.
    unsafe fn chosen(words: Self::Words, at: u32, table: &Self::Table) -> Self;

    /// What makes numbers of floats of six bits, of which `mantissa` are the mantissa's and `magnitudes` the numbers of the codes
    /// without a sign.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn sixes(magnitudes: &[f32; 32], mantissa: u32) -> Self::Six;

    /// The floats of six bits in each word from bit `at` on.
    ///
    /// # Safety
    /// The CPU has the instruction set, and the word has these bits.
    unsafe fn six(words: Self::Words, at: u32, by: &Self::Six) -> Self;

    /// `LANES` powers of two by their codes (E8M0).
    ///
    /// # Safety
    /// `LANES` bytes can be read at `from`.
    unsafe fn powers(from: *const u8) -> Self;

    /// Words without their lowest bits, as many as `by`.
    ///
    /// # Safety
    /// The CPU has the instruction set, and the words have more bits.
    unsafe fn down(words: Self::Words, by: u32) -> Self::Words;

    /// The same, with the lowest bits of `above` in the places that are left.
    ///
    /// # Safety
    /// The CPU has the instruction set, and the words have more bits.
    unsafe fn joined(words: Self::Words, above: Self::Words, by: u32) -> Self::Words;

    /// The same four numbers, again and again.
    ///
    /// # Safety
    /// Four numbers can be read at `from`, aligned or not.
    unsafe fn four(from: *const f32) -> Self;

    /// Of each four lanes the numbers that the lowest two bits of words choose among these four.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn among(self, choices: Self::Words) -> Self;
}

// SAFETY: as many words as numbers.
unsafe impl<const N: usize> Bits for Lanes<N> {
    type Words = [u32; N];
    type Table = [f32; 16];
    type Six = [f32; 32];

    // The shape of AVX-512 takes the path of AVX-512.
    const LOOKS_UP: bool = N == 16;

    #[inline(always)]
    unsafe fn words(from: *const u32) -> Self::Words {
        // SAFETY: the caller promises a register's worth of words.
        unsafe { from.cast::<[u32; N]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn turned(words: Self::Words, mask: u32) -> Self::Words {
        words.map(|word| word ^ mask)
    }

    #[inline(always)]
    unsafe fn signed(words: Self::Words, at: u32, bits: u32) -> Self {
        Self(words.map(|word| ((word << (32 - bits - at)) as i32 >> (32 - bits)) as f32))
    }

    #[inline(always)]
    unsafe fn e4m3<const NAN: bool>(words: Self::Words, at: u32) -> Self {
        Self(words.map(|word| {
            let bits = ((word << (24 - at)) as i32 >> 4) as u32 & E4M3;
            if NAN && bits & E4M3_NAN == E4M3_NAN { f32::NAN } else { f32::from_bits(bits) * E4M3_FACTOR }
        }))
    }

    #[inline(always)]
    unsafe fn bf16(words: Self::Words, at: u32) -> Self {
        Self(words.map(|word| f32::from_bits((word << (16 - at)) & UPPER)))
    }

    #[inline(always)]
    unsafe fn table(values: &[f32; 16]) -> Self::Table {
        *values
    }

    #[inline(always)]
    unsafe fn chosen(words: Self::Words, at: u32, table: &Self::Table) -> Self {
        Self(words.map(|word| table[(word >> at) as usize & 15]))
    }

    #[inline(always)]
    unsafe fn sixes(magnitudes: &[f32; 32], _: u32) -> Self::Six {
        *magnitudes
    }

    #[inline(always)]
    unsafe fn six(words: Self::Words, at: u32, by: &Self::Six) -> Self {
        Self(words.map(|word| {
            let sign = (word << (26 - at)) & SIGN;
            f32::from_bits(by[(word >> at) as usize & 31].to_bits() | sign)
        }))
    }

    #[inline(always)]
    unsafe fn powers(from: *const u8) -> Self {
        // SAFETY: the caller promises a byte for each lane.
        let codes = unsafe { from.cast::<[u8; N]>().read_unaligned() };
        let power = |code: u8| f32::from_bits((u32::from(code) << 23).max(LEAST_POWER));
        Self(codes.map(|code| if code == 255 { f32::NAN } else { power(code) }))
    }

    #[inline(always)]
    unsafe fn down(words: Self::Words, by: u32) -> Self::Words {
        words.map(|word| word >> by)
    }

    #[inline(always)]
    unsafe fn joined(words: Self::Words, above: Self::Words, by: u32) -> Self::Words {
        std::array::from_fn(|lane| (words[lane] >> by) | (above[lane] << (32 - by)))
    }

    #[inline(always)]
    unsafe fn four(from: *const f32) -> Self {
        // SAFETY: the caller promises four numbers.
        let numbers = unsafe { from.cast::<[f32; 4]>().read_unaligned() };
        Self(std::array::from_fn(|lane| numbers[lane % 4]))
    }

    #[inline(always)]
    unsafe fn among(self, choices: Self::Words) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane / 4 * 4 + choices[lane] as usize % 4]))
    }
}
