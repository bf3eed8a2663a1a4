//! AVX2 with FMA: 8 lanes.
#![expect(unsafe_code, reason = "instructions of one instruction set, each called only where it was detected")]

use std::arch::x86_64::*;

use crate::vector::{EXP2, LEAST, MOST, Vector};

// SAFETY: a register of 256 bits holds 8 numbers of 32.
unsafe impl Vector for __m256 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: copies a number into registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises that a register's worth of numbers can be read at `from`, aligned or not.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises that a register's worth of numbers can be written at `to`, aligned or not.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller promises that a register's worth of numbers can be written at `to`, which is aligned to it.
        unsafe { _mm256_stream_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: adds a product in registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_fmadd_ps(self, b, c) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: adds registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: subtracts registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: multiplies registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // The instruction gives its second operand where either is NaN.
        // SAFETY: compares registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_max_ps(other, self) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // As for `max`.
        // SAFETY: compares registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_min_ps(other, self) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: divides registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_div_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn floor(self) -> Self {
        // SAFETY: rounds a register, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe { _mm256_floor_ps(self) }
    }

    #[inline(always)]
    unsafe fn look_up(self, from: *const f32, step: usize) -> Self {
        // SAFETY: the caller promises lanes that name places which can be read, within 31 bits.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let rows = _mm256_mullo_epi32(_mm256_cvttps_epi32(self), _mm256_set1_epi32(step as i32));
            _mm256_i32gather_ps::<4>(from, _mm256_add_epi32(rows, lanes))
        }
    }

    #[inline(always)]
    unsafe fn nibbles(from: *const u8) -> Self {
        // SAFETY: the caller promises four bytes at `from`, aligned or not; the rest is arithmetic on registers.
        unsafe {
            let bytes = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(from.cast::<i32>().read_unaligned()));
            // A byte lies in a pair of lanes: its high nibble moves to where the second lane begins.
            let pairs = _mm256_or_si256(bytes, _mm256_slli_epi64::<28>(bytes));
            _mm256_cvtepi32_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(15)))
        }
    }

    #[inline(always)]
    unsafe fn exp2(self) -> Self {
        // SAFETY: arithmetic on registers, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            // Clamped above too: infinity comes from the exponent 128 by itself.
            let within = _mm256_min_ps(_mm256_set1_ps(MOST), _mm256_max_ps(_mm256_set1_ps(LEAST), self));
            let whole = _mm256_round_ps::<0x08>(within);
            let rest = _mm256_sub_ps(within, whole);
            let mut sum = _mm256_set1_ps(EXP2[0]);
            for coefficient in &EXP2[1..] {
                sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(*coefficient));
            }
            // Half of the exponent twice, since 2^128 is no number of its own.
            let power = _mm256_cvtps_epi32(whole);
            let half = _mm256_srai_epi32::<1>(power);
            let other = _mm256_sub_epi32(power, half);
            let two_to = |n| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127))));
            let scaled = _mm256_mul_ps(_mm256_mul_ps(sum, two_to(half)), two_to(other));
            let kept = _mm256_cmp_ps::<_CMP_NLT_UQ>(self, _mm256_set1_ps(LEAST));
            let result = _mm256_and_ps(kept, scaled);
            let unordered = _mm256_cmp_ps::<_CMP_UNORD_Q>(self, self);
            _mm256_blendv_ps(result, self, unordered)
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: adds the lanes of a register, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: compares the lanes of a register, no memory; the caller promises that the CPU has AVX2 and FMA.
        unsafe {
            let four = _mm_max_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }
}
