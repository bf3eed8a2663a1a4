//! Registers of words of 32 bits, and the numbers that the codes within them stand for.
//!
//! A number is the same to the bit on every instruction set, subnormal and NaN included.
#![expect(unsafe_code, reason = "instructions that not every CPU has, and pointers, whose bounds callers check")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::portable::Lanes;
use crate::vector::Vector;

/// The sign, and where the seven other bits of an e4m3fn lie in an `f32` as its exponent's last four and its mantissa's first
/// three bits: 2¹²⁰ times that `f32` is the number, subnormals included.
const E4M3: u32 = 0x87f0_0000;

/// All of those bits but the sign: NaN, where each is set.
const E4M3_NAN: u32 = 0x07f0_0000;

/// What such an `f32` is multiplied by.
const E4M3_FACTOR: f32 = f32::from_bits((120 + 127) << 23);

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

#[cfg(target_arch = "x86_64")]
// SAFETY: registers of 256 bits hold eight words, and eight numbers.
unsafe impl Bits for __m256 {
    type Words = __m256i;
    /// The first eight numbers, and the others.
    type Table = [__m256; 2];

    #[inline(always)]
    unsafe fn words(from: *const u32) -> Self::Words {
        // SAFETY: the caller promises eight words, aligned or not.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn turned(words: Self::Words, mask: u32) -> Self::Words {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_xor_si256(words, _mm256_set1_epi32(mask as i32)) }
    }

    #[inline(always)]
    unsafe fn signed(words: Self::Words, at: u32, bits: u32) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            let highest = _mm256_sllv_epi32(words, _mm256_set1_epi32((32 - bits - at) as i32));
            _mm256_cvtepi32_ps(_mm256_srav_epi32(highest, _mm256_set1_epi32((32 - bits) as i32)))
        }
    }

    #[inline(always)]
    unsafe fn e4m3<const NAN: bool>(words: Self::Words, at: u32) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            let highest = _mm256_sllv_epi32(words, _mm256_set1_epi32((24 - at) as i32));
            let bits = _mm256_and_si256(_mm256_srai_epi32::<4>(highest), _mm256_set1_epi32(E4M3 as i32));
            let number = _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(E4M3_FACTOR));
            if !NAN {
                return number;
            }
            let all = _mm256_set1_epi32(E4M3_NAN as i32);
            let nan = _mm256_cmpeq_epi32(_mm256_and_si256(bits, all), all);
            _mm256_blendv_ps(number, _mm256_set1_ps(f32::NAN), _mm256_castsi256_ps(nan))
        }
    }

    #[inline(always)]
    unsafe fn bf16(words: Self::Words, at: u32) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            let highest = _mm256_sllv_epi32(words, _mm256_set1_epi32((16 - at) as i32));
            _mm256_castsi256_ps(_mm256_and_si256(highest, _mm256_set1_epi32(UPPER as i32)))
        }
    }

    #[inline(always)]
    unsafe fn table(values: &[f32; 16]) -> Self::Table {
        // SAFETY: sixteen numbers; the caller promises that the CPU has AVX2 and FMA.
        unsafe { [_mm256_loadu_ps(values.as_ptr()), _mm256_loadu_ps(values.as_ptr().add(8))] }
    }

    #[inline(always)]
    unsafe fn chosen(words: Self::Words, at: u32, table: &Self::Table) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            // Three bits choose within each half, whatever lies above them; the fourth, as a sign, chooses the half.
            let lowest = _mm256_srlv_epi32(words, _mm256_set1_epi32(at as i32));
            let sign = _mm256_sllv_epi32(words, _mm256_set1_epi32((28 - at) as i32));
            let [first, second] = [table[0], table[1]];
            let low = _mm256_permutevar8x32_ps(first, lowest);
            let high = _mm256_permutevar8x32_ps(second, lowest);
            _mm256_blendv_ps(low, high, _mm256_castsi256_ps(sign))
        }
    }

    #[inline(always)]
    unsafe fn powers(from: *const u8) -> Self {
        // SAFETY: the caller promises eight bytes; the rest is arithmetic on registers.
        unsafe {
            let codes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            let bits = _mm256_max_epi32(_mm256_slli_epi32::<23>(codes), _mm256_set1_epi32(LEAST_POWER as i32));
            let nan = _mm256_cmpeq_epi32(codes, _mm256_set1_epi32(255));
            let [number, nan] = [_mm256_castsi256_ps(bits), _mm256_castsi256_ps(nan)];
            _mm256_blendv_ps(number, _mm256_set1_ps(f32::NAN), nan)
        }
    }

    #[inline(always)]
    unsafe fn down(words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_srlv_epi32(words, _mm256_set1_epi32(by as i32)) }
    }

    #[inline(always)]
    unsafe fn four(from: *const f32) -> Self {
        // SAFETY: the caller promises four numbers, aligned or not.
        unsafe { _mm256_broadcast_ps(&_mm_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn among(self, choices: Self::Words) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_permutevar_ps(self, choices) }
    }
}

#[cfg(target_arch = "x86_64")]
// SAFETY: registers of 512 bits hold sixteen words, and sixteen numbers.
unsafe impl Bits for __m512 {
    type Words = __m512i;
    type Table = __m512;

    const LOOKS_UP: bool = true;

    #[inline(always)]
    unsafe fn words(from: *const u32) -> Self::Words {
        // SAFETY: the caller promises sixteen words, aligned or not.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn turned(words: Self::Words, mask: u32) -> Self::Words {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_xor_si512(words, _mm512_set1_epi32(mask as i32)) }
    }

    #[inline(always)]
    unsafe fn signed(words: Self::Words, at: u32, bits: u32) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe {
            let highest = _mm512_sllv_epi32(words, _mm512_set1_epi32((32 - bits - at) as i32));
            _mm512_cvtepi32_ps(_mm512_srav_epi32(highest, _mm512_set1_epi32((32 - bits) as i32)))
        }
    }

    #[inline(always)]
    unsafe fn e4m3<const NAN: bool>(words: Self::Words, at: u32) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe {
            let highest = _mm512_sllv_epi32(words, _mm512_set1_epi32((24 - at) as i32));
            let bits = _mm512_and_si512(_mm512_srai_epi32::<4>(highest), _mm512_set1_epi32(E4M3 as i32));
            let number = _mm512_mul_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(E4M3_FACTOR));
            if !NAN {
                return number;
            }
            let all = _mm512_set1_epi32(E4M3_NAN as i32);
            let nan = _mm512_cmpeq_epi32_mask(_mm512_and_si512(bits, all), all);
            _mm512_mask_mov_ps(number, nan, _mm512_set1_ps(f32::NAN))
        }
    }

    #[inline(always)]
    unsafe fn bf16(words: Self::Words, at: u32) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe {
            let highest = _mm512_sllv_epi32(words, _mm512_set1_epi32((16 - at) as i32));
            _mm512_castsi512_ps(_mm512_and_si512(highest, _mm512_set1_epi32(UPPER as i32)))
        }
    }

    #[inline(always)]
    unsafe fn table(values: &[f32; 16]) -> Self::Table {
        // SAFETY: sixteen numbers; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn chosen(words: Self::Words, at: u32, table: &Self::Table) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe {
            // Four bits choose, whatever lies above them.
            _mm512_permutexvar_ps(_mm512_srlv_epi32(words, _mm512_set1_epi32(at as i32)), *table)
        }
    }

    #[inline(always)]
    unsafe fn powers(from: *const u8) -> Self {
        // SAFETY: the caller promises sixteen bytes; the rest is arithmetic on registers.
        unsafe {
            let codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()));
            let bits = _mm512_max_epi32(_mm512_slli_epi32::<23>(codes), _mm512_set1_epi32(LEAST_POWER as i32));
            let nan = _mm512_cmpeq_epi32_mask(codes, _mm512_set1_epi32(255));
            _mm512_mask_mov_ps(_mm512_castsi512_ps(bits), nan, _mm512_set1_ps(f32::NAN))
        }
    }

    #[inline(always)]
    unsafe fn down(words: Self::Words, by: u32) -> Self::Words {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_srlv_epi32(words, _mm512_set1_epi32(by as i32)) }
    }

    #[inline(always)]
    unsafe fn four(from: *const f32) -> Self {
        // SAFETY: the caller promises four numbers, aligned or not.
        unsafe { _mm512_broadcast_f32x4(_mm_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn among(self, choices: Self::Words) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_permutevar_ps(self, choices) }
    }
}
