//! Chains of multiply-adds, compiled for each instruction set.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

use crate::portable::Four;
use crate::tile::{Sums, zero};
use crate::vector::Vector;

/// The arithmetic of an instruction set.
pub trait Chains {
    /// Numbers that are worked on at once.
    const WIDTH: usize;

    /// `steps` times `x = x · factor + term`, for [`Self::WIDTH`] numbers.
    fn run(&self, steps: usize, factor: f32, term: f32, numbers: &mut [f32]);
}

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

macro_rules! fma {
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
            unsafe fn inner(steps: usize, factor: f32, term: f32, numbers: *mut f32) {
                // SAFETY: as promised by the caller below.
                unsafe { chains::<$vector, $rows>(steps, factor, term, numbers) }
            }
        }

        impl Chains for $name {
            const WIDTH: usize = 2 * $rows * <$vector as Vector>::LANES;

            fn run(&self, steps: usize, factor: f32, term: f32, numbers: &mut [f32]) {
                assert!(numbers.len() >= Self::WIDTH);
                // SAFETY: the CPU has the instruction set, and there are as many numbers.
                unsafe { Self::inner(steps, factor, term, numbers.as_mut_ptr()) }
            }
        }
    };
}

fma!(Portable, Four, 4);
#[cfg(target_arch = "x86_64")]
fma!(Avx2, __m256, 6, "avx2,fma");
#[cfg(target_arch = "x86_64")]
fma!(Avx512, __m512, 12, "avx512f");
