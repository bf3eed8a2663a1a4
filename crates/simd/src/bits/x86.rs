//! The registers of AVX2 and AVX-512.
#![expect(unsafe_code, reason = "instructions that not every CPU has, and pointers, whose bounds callers check")]

use std::arch::x86_64::*;

use super::{Bits, E4M3, E4M3_FACTOR, E4M3_NAN, LEAST_POWER, SIGN, UPPER};

/// How AVX2, which has no look-up among 32 numbers, makes those of floats of six bits.
#[derive(Clone, Copy)]
pub struct Placed {
    /// Bits that a magnitude goes down from where its sign is that of an `f32`, so that its mantissa is one of `f32`.
    down: __m256i,
    /// The magnitude's bits there.
    bits: __m256i,
    /// What is added to them: half of the smallest normal number.
    half: __m256i,
    /// The smallest normal number.
    least: __m256,
}

// SAFETY: registers of 256 bits hold eight words, and eight numbers.
unsafe impl Bits for __m256 {
    type Words = __m256i;
    /// The first eight numbers, and the others.
    type Table = [__m256; 2];
    type Six = Placed;

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
    unsafe fn sixes(magnitudes: &[f32; 32], mantissa: u32) -> Self::Six {
        let least = magnitudes[1 << mantissa];
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            Placed {
                down: _mm256_set1_epi32((3 + mantissa) as i32),
                bits: _mm256_set1_epi32(31 << (23 - mantissa)),
                half: _mm256_castps_si256(_mm256_set1_ps(least / 2.0)),
                least: _mm256_set1_ps(least),
            }
        }
    }

    #[inline(always)]
    unsafe fn six(words: Self::Words, at: u32, by: &Self::Six) -> Self {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            let highest = _mm256_sllv_epi32(words, _mm256_set1_epi32((26 - at) as i32));
            let bits = _mm256_and_si256(_mm256_srlv_epi32(highest, by.down), by.bits);
            let number = _mm256_castsi256_ps(_mm256_add_epi32(bits, by.half));
            // What is subnormal is the mean of itself and of the smallest normal number so far, which is undone; whatever else
            // is no larger than what that gives. No `f32` on the way is subnormal, which some processors multiply slowly.
            let twice = _mm256_fmsub_ps(number, _mm256_set1_ps(2.0), by.least);
            let sign = _mm256_and_si256(highest, _mm256_set1_epi32(SIGN as i32));
            _mm256_or_ps(_mm256_min_ps(number, twice), _mm256_castsi256_ps(sign))
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
    unsafe fn joined(words: Self::Words, above: Self::Words, by: u32) -> Self::Words {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            let above = _mm256_sllv_epi32(above, _mm256_set1_epi32((32 - by) as i32));
            _mm256_or_si256(Self::down(words, by), above)
        }
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

// SAFETY: registers of 512 bits hold sixteen words, and sixteen numbers.
unsafe impl Bits for __m512 {
    type Words = __m512i;
    type Table = __m512;
    /// The first sixteen magnitudes, and the others.
    type Six = [__m512; 2];

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
    unsafe fn sixes(magnitudes: &[f32; 32], _: u32) -> Self::Six {
        // SAFETY: 32 numbers; the caller promises that the CPU has AVX-512F.
        unsafe { [_mm512_loadu_ps(magnitudes.as_ptr()), _mm512_loadu_ps(magnitudes.as_ptr().add(16))] }
    }

    #[inline(always)]
    unsafe fn six(words: Self::Words, at: u32, by: &Self::Six) -> Self {
        /// The first, with those bits turned over that both others have.
        const TURNED: i32 = 0x78;
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe {
            // Five bits choose, whatever lies above them.
            let lowest = _mm512_srlv_epi32(words, _mm512_set1_epi32(at as i32));
            let number = _mm512_castps_si512(_mm512_permutex2var_ps(by[0], lowest, by[1]));
            let highest = _mm512_sllv_epi32(words, _mm512_set1_epi32((26 - at) as i32));
            let sign = _mm512_set1_epi32(SIGN as i32);
            _mm512_castsi512_ps(_mm512_ternarylogic_epi32::<TURNED>(number, highest, sign))
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
    unsafe fn joined(words: Self::Words, above: Self::Words, by: u32) -> Self::Words {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512F.
        unsafe {
            let above = _mm512_sllv_epi32(above, _mm512_set1_epi32((32 - by) as i32));
            _mm512_or_si512(Self::down(words, by), above)
        }
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
