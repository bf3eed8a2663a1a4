//! Keys of one tile against the queries of two registers, backwards.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per tile, not once per product")]

use crate::vector::{Strided, Sums, Vector, multiply, zero};

/// `to[row] += Σ_step left(row, step) · right[step]` for `rows` rows and `columns` columns, a multiple of two registers.
///
/// # Safety
/// The CPU has `V`'s instruction set; `left` can be read at every row and step, `right` and `to` hold `columns` numbers at
/// each of their rows.
#[inline(always)]
pub unsafe fn add_product<V: Vector, const ROWS: usize>(
    [rows, steps, columns]: [usize; 3],
    left: Strided,
    (right, right_step): (*const f32, usize),
    (to, to_row): (*mut f32, usize),
) {
    let wide = 2 * V::LANES;
    let mut column = 0;
    // SAFETY: as promised.
    unsafe {
        while column < columns {
            let mut row = 0;
            while row + ROWS <= rows {
                part::<V, ROWS>(
                    steps,
                    left.from(row),
                    right.add(column),
                    right_step,
                    to.add(row * to_row + column),
                    to_row,
                );
                row += ROWS;
            }
            while row < rows {
                part::<V, 1>(
                    steps,
                    left.from(row),
                    right.add(column),
                    right_step,
                    to.add(row * to_row + column),
                    to_row,
                );
                row += 1;
            }
            column += wide;
        }
    }
}

#[inline(always)]
unsafe fn part<V: Vector, const ROWS: usize>(
    steps: usize,
    left: Strided,
    right: *const f32,
    right_step: usize,
    to: *mut f32,
    to_row: usize,
) {
    // SAFETY: as promised to `add_product`.
    unsafe {
        let mut sums: Sums<V, ROWS> = zero();
        for (row, sum) in sums.iter_mut().enumerate() {
            let at = to.add(row * to_row);
            *sum = [V::load(at), V::load(at.add(V::LANES))];
        }
        let sums = multiply::<V, ROWS>(steps, left, right, right_step, sums);
        for (row, sum) in sums.into_iter().enumerate() {
            let at = to.add(row * to_row);
            sum[0].store(at);
            sum[1].store(at.add(V::LANES));
        }
    }
}

/// Scores become weights `exp2(score − lse)`, and `slopes`, the products of values and upstream gradients, become the
/// gradients of scores: `weight · (slope − delta) · scale` (Dao, arXiv 2307.08691, algorithm 2, lines 11 to 14).
///
/// # Safety
/// The CPU has `V`'s instruction set; `weights` and `slopes` hold `count` rows of two registers, `lse` and `delta` one.
#[inline(always)]
pub unsafe fn soften<V: Vector>(count: usize, scale: f32, rows: [*mut f32; 2], [lse, delta]: [*const f32; 2]) {
    let [weights, slopes] = rows;
    // SAFETY: as promised.
    unsafe {
        let scale = V::splat(scale);
        for side in 0..2 {
            let half = side * V::LANES;
            let (lse, delta) = (V::load(lse.add(half)), V::load(delta.add(half)));
            for row in 0..count {
                let at = 2 * row * V::LANES + half;
                let weight = V::load(weights.add(at)).sub(lse).exp2();
                weight.store(weights.add(at));
                let slope = V::load(slopes.add(at)).sub(delta).mul(weight).mul(scale);
                slope.store(slopes.add(at));
            }
        }
    }
}
