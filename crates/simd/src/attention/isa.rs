//! The steps, compiled for each instruction set.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256;

use super::block::Steps;
use super::few::{self, Row};
use super::grad_step;
use super::step::{KEYS, State, gather, score, soften};
use super::walk::{MOST_POSITIONS, Walk, advance};
use crate::isa::sixteen_lanes;
use crate::portable::Lanes;
use crate::vector::Strided;

/// One query against one run of keys.
pub trait Rows {
    /// Scores, weights and sums of a run of at most [`super::step::KEYS`] keys; see [`super::few`].
    fn row(&self, head_dim: usize, key: &[f32], value: &[f32], row: &mut Row);
}

/// The arithmetic of gradients.
pub trait Backwards: Steps {
    /// See [`grad_step::soften`].
    fn soften(&self, scale: f32, weights: &mut [f32], slopes: &mut [f32], lse: &[f32], delta: &[f32]);

    /// Adds to `to` `[rows, wide]` the product of `left` `[rows, COLUMNS]` and `right` `[COLUMNS, wide]`.
    fn along(&self, left: &[f32], right: &[f32], wide: usize, to: &mut [f32]);

    /// Adds to `to` `[head_dim, COLUMNS]` the product of `left`, transposed, and `right` `[rows, COLUMNS]`.
    fn across(&self, head_dim: usize, left: &[f32], right: &[f32], to: &mut [f32]);
}

/// Positions that depend on what stands between query and key.
pub trait Walks: Steps {
    /// Scores of one tile get what their positions add; see [`advance`].
    fn walk(&self, scores: &mut [f32], walk: &mut Walk);
}

/// The steps of one instruction set, as functions of their own.
macro_rules! steps {
    ($name:ident, $vector:ty, $rows:literal, $columns:literal $(, $feature:literal)?) => {
        /// Made only where the instruction set was detected.
        pub struct $name(());

        impl $name {
            /// # Safety
            /// The CPU has the instruction set.
            pub unsafe fn new() -> Self {
                Self(())
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn scores(size: [usize; 2], key: *const f32, query: *const f32, to: *mut f32) {
                // SAFETY: as promised by the caller below.
                unsafe { score::<$vector, $rows>(size, key, query, to) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn sums(of_value: [usize; 2], value: &[f32], state: &mut State) {
                let count = value.len() / of_value[1];
                // SAFETY: as promised when `Self` was made; `value` holds whole values.
                unsafe {
                    let factor = soften::<$vector>(count, state);
                    gather::<$vector, $rows>(of_value, count, value.as_ptr(), factor, state);
                }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn positions(scores: &mut [f32], walk: &mut Walk) {
                // SAFETY: as promised when `Self` was made; the caller below has looked at the lengths.
                unsafe { advance::<$vector>(scores.len() / $columns, scores.as_mut_ptr(), walk) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn one(head_dim: usize, key: &[f32], value: &[f32], row: &mut Row) {
                let count = key.len() / head_dim;
                // SAFETY: as promised when `Self` was made; `key` and `value` hold whole ones.
                unsafe {
                    few::score::<$vector>(head_dim, count, key.as_ptr(), row);
                    let factor = few::soften::<$vector>(count, row);
                    few::gather::<$vector>(head_dim, count, value.as_ptr(), factor, row);
                }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn add(size: [usize; 3], left: Strided, right: (*const f32, usize), to: (*mut f32, usize)) {
                // SAFETY: as promised by the callers below.
                unsafe { grad_step::add_product::<$vector, $rows>(size, left, right, to) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn slopes(count: usize, scale: f32, rows: [*mut f32; 2], sums: [*const f32; 2]) {
                // SAFETY: as promised by the caller below.
                unsafe { grad_step::soften::<$vector>(count, scale, rows, sums) }
            }
        }

        impl Backwards for $name {
            fn soften(&self, scale: f32, weights: &mut [f32], slopes: &mut [f32], lse: &[f32], delta: &[f32]) {
                assert!(weights.len() == slopes.len() && lse.len() >= $columns && delta.len() >= $columns);
                let (count, sums) = (weights.len() / $columns, [lse.as_ptr(), delta.as_ptr()]);
                // SAFETY: the CPU has the instruction set, and the lengths are as they must be.
                unsafe { Self::slopes(count, scale, [weights.as_mut_ptr(), slopes.as_mut_ptr()], sums) }
            }

            fn along(&self, left: &[f32], right: &[f32], wide: usize, to: &mut [f32]) {
                let rows = left.len() / $columns;
                assert!(wide % $columns == 0 && right.len() >= $columns * wide && to.len() >= rows * wide);
                let factor = Strided { start: left.as_ptr(), per_row: $columns, per_step: 1 };
                let (right, to) = ((right.as_ptr(), wide), (to.as_mut_ptr(), wide));
                // SAFETY: the CPU has the instruction set, and the lengths are as they must be.
                unsafe { Self::add([rows, $columns, wide], factor, right, to) }
            }

            fn across(&self, head_dim: usize, left: &[f32], right: &[f32], to: &mut [f32]) {
                let steps = left.len() / head_dim;
                assert!(right.len() >= steps * $columns && to.len() >= head_dim * $columns);
                let factor = Strided { start: left.as_ptr(), per_row: 1, per_step: head_dim };
                let (right, to) = ((right.as_ptr(), $columns), (to.as_mut_ptr(), $columns));
                // SAFETY: the CPU has the instruction set, and the lengths are as they must be.
                unsafe { Self::add([head_dim, steps, $columns], factor, right, to) }
            }
        }

        impl Walks for $name {
            fn walk(&self, scores: &mut [f32], walk: &mut Walk) {
                let last = walk.last;
                assert!(last < MOST_POSITIONS && walk.table.len() >= (last + 2) * $columns);
                assert!(walk.whole.len() >= $columns && walk.fraction.len() >= $columns);
                assert!(walk.whole.iter().all(|whole| (0.0..=last as f32).contains(whole)));
                // SAFETY: the CPU has the instruction set, and lengths and numbers are as they must be.
                unsafe { Self::positions(scores, walk) }
            }
        }

        impl Rows for $name {
            fn row(&self, head_dim: usize, key: &[f32], value: &[f32], row: &mut Row) {
                assert!(key.len() == value.len() && key.len() / head_dim <= KEYS);
                assert!(row.query.len() >= head_dim && row.sum.len() >= head_dim && row.weights.len() >= KEYS);
                // SAFETY: the CPU has the instruction set, and the lengths are as they must be.
                unsafe { Self::one(head_dim, key, value, row) }
            }
        }

        impl Steps for $name {
            const COLUMNS: usize = $columns;

            fn score(&self, head_dim: usize, key: &[f32], query: &[f32], scores: &mut [f32]) {
                let count = key.len() / head_dim;
                assert!(query.len() >= head_dim * $columns && scores.len() >= count * $columns);
                // SAFETY: the CPU has the instruction set, and the lengths are as they must be.
                unsafe { Self::scores([head_dim, count], key.as_ptr(), query.as_ptr(), scores.as_mut_ptr()) }
            }

            fn gather(&self, of_value: [usize; 2], value: &[f32], state: &mut State) {
                let (columns, [value_dim, apart]) = ($columns, of_value);
                assert!(value_dim <= apart && state.sum.len() >= value_dim * columns);
                assert!(state.weights.len() >= value.len() / apart * columns);
                assert!(state.largest.len() >= columns && state.total.len() >= columns);
                // SAFETY: the CPU has the instruction set, and the lengths are as they must be.
                unsafe { Self::sums(of_value, value, state) }
            }
        }
    };
}

steps!(Portable, Lanes<4>, 2, 8);
#[cfg(target_arch = "x86_64")]
steps!(Avx2, __m256, 4, 16, "avx2,fma");
sixteen_lanes!(steps, 8, 32);
