//! The one loop that does the arithmetic: `ROWS` × two registers of sums, all of them kept in registers.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per block by the callers, not once per product")]

use crate::vector::Vector;

/// Sums of a tile: two registers a row.
pub type Sums<V, const ROWS: usize> = [[V; 2]; ROWS];

/// Numbers of one factor of a product: element (`row`, `step`) lies at `start + row · per_row + step · per_step`.
#[derive(Clone, Copy)]
pub struct Strided {
    pub start: *const f32,
    pub per_row: usize,
    pub per_step: usize,
}

impl Strided {
    /// The same numbers from row `row` on.
    pub fn from(self, row: usize) -> Self {
        Self { start: self.start.wrapping_add(row * self.per_row), ..self }
    }

    /// The same numbers from step `step` on.
    pub fn step(self, step: usize) -> Self {
        Self { start: self.start.wrapping_add(step * self.per_step), ..self }
    }
}

/// `sums[row] += Σ_step left(row, step) · right[step]`, where `right[step]` is two registers.
///
/// # Safety
/// The CPU has `V`'s instruction set; `left` can be read at every row below `ROWS` and step below `steps`, and
/// `2 · LANES` numbers at `right + step · right_step`.
#[inline(always)]
pub unsafe fn multiply<V: Vector, const ROWS: usize>(
    steps: usize,
    left: Strided,
    right: *const f32,
    right_step: usize,
    mut sums: Sums<V, ROWS>,
) -> Sums<V, ROWS> {
    let (mut left_at, mut right_at) = (left.start, right);
    for _ in 0..steps {
        // SAFETY: within what the caller promises.
        unsafe {
            let columns = [V::load(right_at), V::load(right_at.add(V::LANES))];
            for (row, sum) in sums.iter_mut().enumerate() {
                let factor = V::splat(*left_at.add(row * left.per_row));
                *sum = [factor.mul_add(columns[0], sum[0]), factor.mul_add(columns[1], sum[1])];
            }
            left_at = left_at.wrapping_add(left.per_step);
            right_at = right_at.wrapping_add(right_step);
        }
    }
    sums
}

/// Sums of nothing.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub unsafe fn zero<V: Vector, const ROWS: usize>() -> Sums<V, ROWS> {
    // SAFETY: as promised.
    unsafe { [[V::splat(0.0); 2]; ROWS] }
}
