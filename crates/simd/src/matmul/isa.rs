//! The tile of a product, compiled for each instruction set.
#![expect(unsafe_code, reason = "functions for an instruction set are called where it was detected, and only there")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

use super::call::STEPS;
use super::pack::LEFT_ROW;
use crate::portable::Four;
use crate::tile::{Strided, multiply, zero};
use crate::vector::Vector;

/// A tile of a product.
pub trait Tile {
    /// Rows of a tile.
    const ROWS: usize;
    /// Columns of a tile: two registers' lanes.
    const COLUMNS: usize;

    /// Adds to `out`, rows `per_row` apart, the product of packed `left` `[ROWS, LEFT_ROW]` and `right` `[steps, COLUMNS]`.
    ///
    /// Only `rows` × `columns` of the tile are written; where `fresh`, they are set instead of added to.
    fn add(&self, left: &[f32], right: &[f32], out: &mut [f32], per_row: usize, size: [usize; 2], fresh: bool);
}

macro_rules! tile {
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
            unsafe fn whole(left: &[f32], right: &[f32], to: *mut f32, per_row: usize, fresh: bool) {
                let left_at = Strided { start: left.as_ptr(), per_row: LEFT_ROW, per_step: 1 };
                // SAFETY: packed factors hold as many steps as their lengths say, and `to` takes a whole tile.
                unsafe {
                    let mut sums = zero::<$vector, $rows>();
                    if !fresh {
                        for (row, sum) in sums.iter_mut().enumerate() {
                            let from = to.add(row * per_row);
                            *sum = [Vector::load(from), Vector::load(from.add($columns / 2))];
                        }
                    }
                    let sums = multiply(right.len() / $columns, left_at, right.as_ptr(), $columns, sums);
                    for (row, sum) in sums.into_iter().enumerate() {
                        sum[0].store(to.add(row * per_row));
                        sum[1].store(to.add(row * per_row + $columns / 2));
                    }
                }
            }
        }

        impl Tile for $name {
            const ROWS: usize = $rows;
            const COLUMNS: usize = $columns;

            fn add(&self, left: &[f32], right: &[f32], out: &mut [f32], per_row: usize, size: [usize; 2], fresh: bool) {
                let [rows, columns] = size;
                assert!(left.len() >= $rows * LEFT_ROW && right.len() <= STEPS * $columns);
                if size == [$rows, $columns] {
                    assert!(out.len() >= ($rows - 1) * per_row + $columns);
                    // SAFETY: the CPU has the instruction set, and the lengths are as they must be.
                    return unsafe { Self::whole(left, right, out.as_mut_ptr(), per_row, fresh) };
                }
                let mut edge = [0.0; $rows * $columns];
                // SAFETY: as above; the edge is a whole tile.
                unsafe { Self::whole(left, right, edge.as_mut_ptr(), $columns, true) };
                for (row, from) in edge.chunks_exact($columns).take(rows).enumerate() {
                    for (to, from) in out[row * per_row..][..columns].iter_mut().zip(from) {
                        *to = if fresh { *from } else { *to + from };
                    }
                }
            }
        }
    };
}

tile!(Portable, Four, 4, 8);
#[cfg(target_arch = "x86_64")]
tile!(Avx2, __m256, 6, 16, "avx2,fma");
#[cfg(target_arch = "x86_64")]
tile!(Avx512, __m512, 12, 32, "avx512f");
