//! AVX-512: 16 lanes.
#![expect(unsafe_code, reason = "instructions of one instruction set, each called only where it was detected")]

use std::arch::x86_64::*;

use crate::vector::{EXP2, LEAST, MOST, Vector};

// SAFETY: a register of 512 bits holds 16 numbers of 32.
unsafe impl Vector for __m512 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: copies a number into registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises that a register's worth of numbers can be read at `from`, aligned or not.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises that a register's worth of numbers can be written at `to`, aligned or not.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller promises that a register's worth of numbers can be written at `to`, which is aligned to it.
        unsafe { _mm512_stream_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: adds a product in registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_fmadd_ps(self, b, c) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: adds registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: subtracts registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: multiplies registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // The instruction gives its second operand where either is NaN.
        // SAFETY: compares registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_max_ps(other, self) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // As for `max`.
        // SAFETY: compares registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_min_ps(other, self) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: divides registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_div_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn floor(self) -> Self {
        // SAFETY: rounds a register, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_roundscale_ps::<0x09>(self) }
    }

    #[inline(always)]
    unsafe fn look_up(self, from: *const f32, step: usize) -> Self {
        // SAFETY: the caller promises lanes that name places which can be read, within 31 bits.
        unsafe {
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let rows = _mm512_mullo_epi32(_mm512_cvttps_epi32(self), _mm512_set1_epi32(step as i32));
            _mm512_i32gather_ps::<4>(_mm512_add_epi32(rows, lanes), from)
        }
    }

    #[inline(always)]
    unsafe fn nibbles(from: *const u8) -> Self {
        // SAFETY: the caller promises eight bytes at `from`, aligned or not; the rest is arithmetic on registers.
        unsafe {
            let bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64(from.cast()));
            // A byte lies in a pair of lanes: its high nibble moves to where the second lane begins.
            let pairs = _mm512_or_si512(bytes, _mm512_slli_epi64::<28>(bytes));
            _mm512_cvtepi32_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(15)))
        }
    }

    #[inline(always)]
    unsafe fn exp2(self) -> Self {
        // SAFETY: arithmetic on registers, no memory; the caller promises that the CPU has AVX-512F.
        unsafe {
            // The second operand where either is NaN. Infinity comes from the exponent 128 by itself.
            let within = _mm512_min_ps(_mm512_set1_ps(MOST), self);
            let whole = _mm512_roundscale_ps::<0x08>(within);
            let rest = _mm512_sub_ps(within, whole);
            let mut sum = _mm512_set1_ps(EXP2[0]);
            for coefficient in &EXP2[1..] {
                sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(*coefficient));
            }
            let scaled = _mm512_scalef_ps(sum, whole);
            // Not less, or unordered: NaN stays.
            let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(self, _mm512_set1_ps(LEAST));
            _mm512_maskz_mov_ps(kept, scaled)
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: adds the lanes of a register, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_reduce_add_ps(self) }
    }

    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: compares the lanes of a register, no memory; the caller promises that the CPU has AVX-512F.
        unsafe { _mm512_reduce_max_ps(self) }
    }
}
