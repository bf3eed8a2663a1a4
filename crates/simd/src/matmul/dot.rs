//! Sums of products of bytes in 32 bits, the same whole numbers on every instruction set: what overflows wraps.
//!
//! One factor is unsigned, codes as they are; the other is signed. What `vpmaddubsw` adds in 16 bits saturates with codes of eight
//! bits, and cannot with codes of four.
#![expect(unsafe_code, reason = "instructions that not every CPU has, and pointers, whose bounds callers check")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::bits::Bits;
use crate::memory::Plain;
use crate::portable::Lanes;
use crate::vector::{Rows, Vector};

/// A signed factor as it lies in memory.
pub trait Step: Plain {
    /// Of a number that fits into eight bits.
    fn of(code: i32) -> Self;

    /// The number.
    fn wide(self) -> i32;
}

impl Step for i8 {
    #[inline(always)]
    fn of(code: i32) -> Self {
        code as Self
    }

    #[inline(always)]
    fn wide(self) -> i32 {
        self.into()
    }
}

impl Step for i16 {
    #[inline(always)]
    fn of(code: i32) -> Self {
        code as Self
    }

    #[inline(always)]
    fn wide(self) -> i32 {
        self.into()
    }
}

/// Sums of a register of columns.
///
/// # Safety
/// `codes` reads no more than `Numbers::LANES` words, and `add` no more than four steps.
pub unsafe trait Dot: Copy {
    /// Bits of a code: 8 or 4.
    const BITS: usize;

    /// Registers of columns, of two, that a row's factors are multiplied by at once.
    const SIDES: usize = 2;

    /// What sums become.
    type Numbers: Bits;

    /// What signed factors are.
    type Step: Step;

    /// Codes of four steps of each column.
    type Codes: Copy;

    /// Sums that begin with this one.
    ///
    /// # Safety
    /// As for every method of this trait: the CPU has the instruction set.
    unsafe fn start(sum: i32) -> Self;

    /// Of each word the codes of its steps from `4 · part` on.
    ///
    /// # Safety
    /// A word for each column can be read at `from`, and has these steps.
    unsafe fn codes(from: *const u32, part: usize) -> Self::Codes;

    /// These sums and the products of codes with four factors.
    ///
    /// # Safety
    /// Four factors can be read at `steps`.
    unsafe fn add(self, codes: Self::Codes, steps: *const Self::Step) -> Self;

    /// The sums as numbers, rounded to the nearest.
    ///
    /// # Safety
    /// The CPU has the instruction set.
    unsafe fn numbers(self) -> Self::Numbers;
}

/// Adds the products of a word of each of two registers of columns, which lie together, with the factors of rows.
///
/// # Safety
/// The CPU has `D`'s instruction set; the words can be read at `at`, and of each row the factors of a word's steps.
#[inline(always)]
pub unsafe fn add_word<D: Dot, const ROWS: usize>(
    at: *const u32,
    rows: &Rows<D::Step, ROWS>,
    all: &mut [[D; 2]; ROWS],
) {
    for first in (0..2).step_by(D::SIDES) {
        for part in 0..8 / D::BITS {
            // SAFETY: as promised.
            unsafe {
                let codes = [first, 1].map(|side| D::codes(at.add(side * D::Numbers::LANES), part));
                for (row, sums) in all.iter_mut().enumerate() {
                    let factors = rows.at(row, 4 * part);
                    for (sum, codes) in sums[first..first + D::SIDES].iter_mut().zip(codes) {
                        *sum = sum.add(codes, factors);
                    }
                }
            }
        }
    }
}

/// Any CPU: so many columns.
#[derive(Clone, Copy)]
pub struct Portable<const BITS: usize, const N: usize>([i32; N]);

// SAFETY: reads as many words as columns, and four steps.
unsafe impl<const BITS: usize, const N: usize> Dot for Portable<BITS, N> {
    const BITS: usize = BITS;
    type Numbers = Lanes<N>;
    type Step = i8;
    type Codes = [[u8; 4]; N];

    #[inline(always)]
    unsafe fn start(sum: i32) -> Self {
        Self([sum; N])
    }

    #[inline(always)]
    unsafe fn codes(from: *const u32, part: usize) -> Self::Codes {
        // SAFETY: the caller promises a word for each column.
        let words = unsafe { from.cast::<[u32; N]>().read_unaligned() };
        words.map(|word| word.to_le_bytes().map(|byte| if BITS == 4 { (byte >> (4 * part)) & 15 } else { byte }))
    }

    #[inline(always)]
    unsafe fn add(self, codes: Self::Codes, steps: *const i8) -> Self {
        // SAFETY: the caller promises four steps.
        let steps = unsafe { steps.cast::<[i8; 4]>().read_unaligned() };
        let Self(mut sums) = self;
        for (sum, codes) in sums.iter_mut().zip(codes) {
            let products = codes.into_iter().zip(steps).map(|(code, step)| i32::from(code) * i32::from(step));
            *sum = products.fold(*sum, i32::wrapping_add);
        }
        Self(sums)
    }

    #[inline(always)]
    unsafe fn numbers(self) -> Lanes<N> {
        Lanes(self.0.map(|sum| sum as f32))
    }
}

/// AVX2, codes of eight bits: products of 16 bits by `vpmaddwd`, two sums for each column.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx2Eight([__m256i; 2]);

#[cfg(target_arch = "x86_64")]
// SAFETY: reads eight words, and four steps.
unsafe impl Dot for Avx2Eight {
    const BITS: usize = 8;
    // Codes of both take four registers, which are not left beside the sums.
    const SIDES: usize = 1;
    type Numbers = __m256;
    type Step = i16;
    type Codes = [__m256i; 2];

    #[inline(always)]
    unsafe fn start(sum: i32) -> Self {
        // SAFETY: copies a number into registers; the caller promises that the CPU has AVX2.
        unsafe { Self([_mm256_set1_epi64x(i64::from(sum as u32)); 2]) }
    }

    #[inline(always)]
    unsafe fn codes(from: *const u32, _part: usize) -> Self::Codes {
        // SAFETY: the caller promises eight words, aligned or not.
        unsafe {
            let [low, high] = [_mm_loadu_si128(from.cast()), _mm_loadu_si128(from.add(4).cast())];
            [_mm256_cvtepu8_epi16(low), _mm256_cvtepu8_epi16(high)]
        }
    }

    #[inline(always)]
    unsafe fn add(self, codes: Self::Codes, steps: *const i16) -> Self {
        // SAFETY: the caller promises four steps; the rest is arithmetic on registers.
        unsafe {
            let steps = _mm256_set1_epi64x(steps.cast::<i64>().read_unaligned());
            let [low, high] = self.0;
            Self([
                _mm256_add_epi32(low, _mm256_madd_epi16(codes[0], steps)),
                _mm256_add_epi32(high, _mm256_madd_epi16(codes[1], steps)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn numbers(self) -> __m256 {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2.
        unsafe {
            let [low, high] = self.0;
            // Columns 0, 1, 4, 5, 2, 3, 6, 7.
            let sums = _mm256_hadd_epi32(low, high);
            _mm256_cvtepi32_ps(_mm256_permute4x64_epi64::<0b11_01_10_00>(sums))
        }
    }
}

/// AVX2, codes of four bits: pairs of products are 3840 at most, and so exact in 16 bits (`vpmaddubsw`).
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx2Four(__m256i);

/// The nibbles of a register of bytes, from bit `4 · part` on.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn nibbles(words: __m256i, part: usize) -> __m256i {
    // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2.
    unsafe {
        let lowest = if part == 0 { words } else { _mm256_srli_epi32::<4>(words) };
        _mm256_and_si256(lowest, _mm256_set1_epi8(15))
    }
}

#[cfg(target_arch = "x86_64")]
// SAFETY: reads eight words, and four steps.
unsafe impl Dot for Avx2Four {
    const BITS: usize = 4;
    type Numbers = __m256;
    type Step = i8;
    type Codes = __m256i;

    #[inline(always)]
    unsafe fn start(sum: i32) -> Self {
        // SAFETY: copies a number into registers; the caller promises that the CPU has AVX2.
        unsafe { Self(_mm256_set1_epi32(sum)) }
    }

    #[inline(always)]
    unsafe fn codes(from: *const u32, part: usize) -> __m256i {
        // SAFETY: the caller promises eight words, aligned or not.
        unsafe { nibbles(_mm256_loadu_si256(from.cast()), part) }
    }

    #[inline(always)]
    unsafe fn add(self, codes: __m256i, steps: *const i8) -> Self {
        // SAFETY: the caller promises four steps; the rest is arithmetic on registers.
        unsafe {
            let steps = _mm256_set1_epi32(steps.cast::<i32>().read_unaligned());
            let pairs = _mm256_maddubs_epi16(codes, steps);
            Self(_mm256_add_epi32(self.0, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))))
        }
    }

    #[inline(always)]
    unsafe fn numbers(self) -> __m256 {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX2.
        unsafe { _mm256_cvtepi32_ps(self.0) }
    }
}

/// AVX-VNNI: `vpdpbusd`, which wraps, where `vpdpbusds` would saturate.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct AvxVnni<const BITS: usize>(__m256i);

#[cfg(target_arch = "x86_64")]
// SAFETY: reads eight words, and four steps.
unsafe impl<const BITS: usize> Dot for AvxVnni<BITS> {
    const BITS: usize = BITS;
    type Numbers = __m256;
    type Step = i8;
    type Codes = __m256i;

    #[inline(always)]
    unsafe fn start(sum: i32) -> Self {
        // SAFETY: copies a number into registers; the caller promises that the CPU has AVX-VNNI.
        unsafe { Self(_mm256_set1_epi32(sum)) }
    }

    #[inline(always)]
    unsafe fn codes(from: *const u32, part: usize) -> __m256i {
        // SAFETY: the caller promises eight words, aligned or not.
        unsafe {
            let words = _mm256_loadu_si256(from.cast());
            if BITS == 4 { nibbles(words, part) } else { words }
        }
    }

    #[inline(always)]
    unsafe fn add(self, codes: __m256i, steps: *const i8) -> Self {
        // SAFETY: the caller promises four steps; the rest is arithmetic on registers.
        unsafe {
            let steps = _mm256_set1_epi32(steps.cast::<i32>().read_unaligned());
            Self(_mm256_dpbusd_avx_epi32(self.0, codes, steps))
        }
    }

    #[inline(always)]
    unsafe fn numbers(self) -> __m256 {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-VNNI.
        unsafe { _mm256_cvtepi32_ps(self.0) }
    }
}

/// AVX-512 with VNNI: `vpdpbusd`.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub struct Avx512Vnni<const BITS: usize>(__m512i);

#[cfg(target_arch = "x86_64")]
// SAFETY: reads sixteen words, and four steps.
unsafe impl<const BITS: usize> Dot for Avx512Vnni<BITS> {
    const BITS: usize = BITS;
    type Numbers = __m512;
    type Step = i8;
    type Codes = __m512i;

    #[inline(always)]
    unsafe fn start(sum: i32) -> Self {
        // SAFETY: copies a number into registers; the caller promises that the CPU has AVX-512 with VNNI.
        unsafe { Self(_mm512_set1_epi32(sum)) }
    }

    #[inline(always)]
    unsafe fn codes(from: *const u32, part: usize) -> __m512i {
        // SAFETY: the caller promises sixteen words, aligned or not.
        unsafe {
            let words = _mm512_loadu_si512(from.cast());
            if BITS == 8 {
                return words;
            }
            let lowest = if part == 0 { words } else { _mm512_srli_epi32::<4>(words) };
            _mm512_and_si512(lowest, _mm512_set1_epi32(0x0f0f_0f0f))
        }
    }

    #[inline(always)]
    unsafe fn add(self, codes: __m512i, steps: *const i8) -> Self {
        // SAFETY: the caller promises four steps; the rest is arithmetic on registers.
        unsafe {
            let steps = _mm512_set1_epi32(steps.cast::<i32>().read_unaligned());
            Self(_mm512_dpbusd_epi32(self.0, codes, steps))
        }
    }

    #[inline(always)]
    unsafe fn numbers(self) -> __m512 {
        // SAFETY: arithmetic on registers; the caller promises that the CPU has AVX-512 with VNNI.
        unsafe { _mm512_cvtepi32_ps(self.0) }
    }
}
