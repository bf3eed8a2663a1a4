//! Chains of multiply-adds, exponentials and sums of memory, compiled for each instruction set.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;

use crate::isa::sixteen_lanes;
use crate::memory::Soon;
use crate::portable::Lanes;
use crate::vector::{Sums, Vector, zero};

/// The arithmetic and the reads of an instruction set.
pub trait Roof {
    /// Numbers that are worked on at once.
    const WIDTH: usize;

    /// `steps` times `x = x · factor + term`, for [`Self::WIDTH`] numbers.
    fn chains(&self, steps: usize, factor: f32, term: f32, numbers: &mut [f32]);

    /// Each number x becomes Σ 2^(x · `factor`^i) over the first `steps` i, of a multiple of 4 registers of them.
    fn powers(&self, steps: usize, factor: f32, numbers: &mut [f32]);

    /// The sum of numbers, a multiple of 8 registers of them.
    fn sum(&self, numbers: &[f32]) -> f32;
}

/// Registers of exponents: steps do not wait for each other, so a few hide what one takes.
const POWERS: usize = 4;

/// Registers that a sum is kept in, for each of the two stretches that are read at once: additions wait for nothing.
const SUMS: usize = 4;

/// Numbers that memory is asked for ahead: 2 KiB, since processors themselves look less far, and not into the next page.
const AHEAD: usize = 512;

/// # Safety
/// The CPU has `V`'s instruction set, and `2 · ROWS · LANES` numbers can be read and written at `numbers`.
#[inline(always)]
unsafe fn chains<V: Vector, const ROWS: usize>(steps: usize, factor: f32, term: f32, numbers: *mut f32) {
    // SAFETY: as promised.
    unsafe {
        let (factor, term) = (V::splat(factor), V::splat(term));
        let at = |row: usize, side: usize| (2 * row + side) * V::LANES;
        let mut sums: Sums<V, ROWS> = zero();
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = [V::load(numbers.add(at(row, 0))), V::load(numbers.add(at(row, 1)))];
        }
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = [sum[0].mul_add(factor, term), sum[1].mul_add(factor, term)];
            }
        }
        for (row, sum) in sums.into_iter().enumerate() {
            sum[0].store(numbers.add(at(row, 0)));
            sum[1].store(numbers.add(at(row, 1)));
        }
    }
}

/// # Safety
/// The CPU has `V`'s instruction set, and `POWERS` registers can be read and written at `numbers`.
#[inline(always)]
unsafe fn powers<V: Vector>(steps: usize, factor: f32, numbers: *mut f32) {
    // SAFETY: as promised.
    unsafe {
        let factor = V::splat(factor);
        let (mut all, mut sums) = ([factor; POWERS], [V::splat(0.0); POWERS]);
        for (register, number) in all.iter_mut().enumerate() {
            *number = V::load(numbers.add(register * V::LANES));
        }
        for _ in 0..steps {
            for (number, sum) in all.iter_mut().zip(&mut sums) {
                *sum = sum.add(number.exp2());
                *number = number.mul(factor);
            }
        }
        for (register, sum) in sums.into_iter().enumerate() {
            sum.store(numbers.add(register * V::LANES));
        }
    }
}

/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn sum<V: Vector>(numbers: &[f32]) -> f32 {
    let (first, second) = numbers.split_at(numbers.len() / 2);
    // SAFETY: as promised, and every register lies within its half.
    unsafe {
        let mut sums = [[V::splat(0.0); SUMS]; 2];
        for at in (0..first.len()).step_by(SUMS * V::LANES) {
            for (half, sums) in [first, second].into_iter().zip(&mut sums) {
                for (register, sum) in sums.iter_mut().enumerate() {
                    let at = at + register * V::LANES;
                    Soon::of(half).ask(at + AHEAD);
                    *sum = sum.add(V::load(half.as_ptr().add(at)));
                }
            }
        }
        sums.into_iter().flatten().fold(V::splat(0.0), |all, sum| all.add(sum)).sum()
    }
}

macro_rules! roof {
    ($name:ident, $vector:ty, $rows:literal $(, $feature:literal)?) => {
        /// Made only where the instruction set was detected.
        pub struct $name(());

        impl $name {
            /// # Safety
            /// The CPU has the instruction set.
            pub unsafe fn new() -> Self {
                Self(())
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn chains_of(steps: usize, factor: f32, term: f32, numbers: *mut f32) {
                // SAFETY: as promised by the caller below.
                unsafe { chains::<$vector, $rows>(steps, factor, term, numbers) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn powers_of(steps: usize, factor: f32, numbers: *mut f32) {
                // SAFETY: as promised by the caller below.
                unsafe { powers::<$vector>(steps, factor, numbers) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn sum_of(numbers: &[f32]) -> f32 {
                // SAFETY: as promised by the caller below.
                unsafe { sum::<$vector>(numbers) }
            }
        }

        impl Roof for $name {
            const WIDTH: usize = 2 * $rows * <$vector as Vector>::LANES;

            fn chains(&self, steps: usize, factor: f32, term: f32, numbers: &mut [f32]) {
                assert!(numbers.len() >= Self::WIDTH);
                // SAFETY: the CPU has the instruction set, and there are as many numbers.
                unsafe { Self::chains_of(steps, factor, term, numbers.as_mut_ptr()) }
            }

            fn powers(&self, steps: usize, factor: f32, numbers: &mut [f32]) {
                let once = POWERS * <$vector as Vector>::LANES;
                assert!(numbers.len() % once == 0);
                for numbers in numbers.chunks_exact_mut(once) {
                    // SAFETY: the CPU has the instruction set, and there are as many numbers.
                    unsafe { Self::powers_of(steps, factor, numbers.as_mut_ptr()) }
                }
            }

            fn sum(&self, numbers: &[f32]) -> f32 {
                assert!(numbers.len() % (2 * SUMS * <$vector as Vector>::LANES) == 0);
                // SAFETY: the CPU has the instruction set.
                unsafe { Self::sum_of(numbers) }
            }
        }
    };
}

roof!(Portable, Lanes<4>, 4);
#[cfg(target_arch = "x86_64")]
roof!(Avx2, __m256, 6, "avx2,fma");
sixteen_lanes!(roof, 12);
