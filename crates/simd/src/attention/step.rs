//! Keys of one tile against the queries of two registers: scores, online softmax, values.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per call, not once per product")]

use crate::vector::{Strided, Sums, Vector, multiply, zero};

/// Keys in a tile.
pub const KEYS: usize = 64;

/// The largest score so far, before there is one; finite, so that differences are never NaN.
pub const LOWEST: f32 = -3.0e38;

/// What two registers of queries have gathered: all of it `[…, 2 · LANES]`, a column a query.
pub struct State<'a> {
    /// `[KEYS, columns]`: scores, then weights of a tile.
    pub weights: &'a mut [f32],
    /// `[value_dim, columns]`: weighted sum of values.
    pub sum: &'a mut [f32],
    /// `[columns]`: largest score.
    pub largest: &'a mut [f32],
    /// `[columns]`: sum of weights.
    pub total: &'a mut [f32],
}

/// Scores `[count, columns]` of `count` keys against queries `[head_dim, columns]`.
///
/// # Safety
/// The CPU has `V`'s instruction set, and `key`, `query` and `to` hold that many numbers.
#[inline(always)]
pub unsafe fn score<V: Vector, const ROWS: usize>(
    [head_dim, count]: [usize; 2],
    key: *const f32,
    query: *const f32,
    to: *mut f32,
) {
    let columns = 2 * V::LANES;
    let mut row = 0;
    // SAFETY: rows below `count` of `key` and of the scores, `head_dim` rows of the query.
    unsafe {
        while row + ROWS <= count {
            let left = Strided { start: key.add(row * head_dim), per_row: head_dim, per_step: 1 };
            put(multiply::<V, ROWS>(head_dim, left, query, columns, zero()), to.add(row * columns));
            row += ROWS;
        }
        while row < count {
            let left = Strided { start: key.add(row * head_dim), per_row: head_dim, per_step: 1 };
            put(multiply::<V, 1>(head_dim, left, query, columns, zero()), to.add(row * columns));
            row += 1;
        }
    }
}

/// Turns scores of `count` keys into weights (Milakov & Gimelshein, arXiv 1805.02867, algorithm 3) and gives the factor
/// that all sums so far must be multiplied by.
///
/// # Safety
/// The CPU has `V`'s instruction set, and `count` is at most [`KEYS`].
#[inline(always)]
pub unsafe fn soften<V: Vector>(count: usize, state: &mut State) -> [V; 2] {
    let columns = 2 * V::LANES;
    debug_assert!(state.weights.len() >= count * columns && state.largest.len() >= columns);
    let weights = state.weights.as_mut_ptr();
    // SAFETY: rows below `count` of the weights, `columns` numbers of the rest.
    unsafe {
        let [largest, total] = [state.largest.as_mut_ptr(), state.total.as_mut_ptr()];
        let mut factors = [V::splat(1.0); 2];
        for (side, factor) in factors.iter_mut().enumerate() {
            let half = side * V::LANES;
            let before = V::load(largest.add(half));
            // Two chains of maxima, since one waits for itself.
            let mut most = [before; 2];
            for row in 0..count {
                most[row % 2] = V::load(weights.add(row * columns + half)).max(most[row % 2]);
            }
            let most = most[0].max(most[1]);
            most.store(largest.add(half));
            let mut sums = [V::splat(0.0); 2];
            for row in 0..count {
                let at = weights.add(row * columns + half);
                let weight = V::load(at).sub(most).exp2();
                weight.store(at);
                sums[row % 2] = sums[row % 2].add(weight);
            }
            *factor = before.sub(most).exp2();
            V::load(total.add(half)).mul_add(*factor, sums[0].add(sums[1])).store(total.add(half));
        }
        factors
    }
}

/// Adds `count` values, each times its weight.
///
/// # Safety
/// The CPU has `V`'s instruction set, `count` is at most [`KEYS`], and `value` holds as many values of `value_dim` numbers, `apart`
/// numbers from one to the next.
#[inline(always)]
pub unsafe fn gather<V: Vector, const ROWS: usize>(
    [value_dim, apart]: [usize; 2],
    count: usize,
    value: *const f32,
    factor: [V; 2],
    state: &mut State,
) {
    let columns = 2 * V::LANES;
    debug_assert!(state.sum.len() >= value_dim * columns && state.weights.len() >= count * columns);
    let (weights, sum) = (state.weights.as_ptr(), state.sum.as_mut_ptr());
    let mut row = 0;
    // SAFETY: rows below `value_dim` of the sum, below `count` of values and weights.
    unsafe {
        while row + ROWS <= value_dim {
            let left = Strided { start: value.add(row), per_row: 1, per_step: apart };
            let sums = scaled::<V, ROWS>(sum.add(row * columns), factor);
            put(multiply(count, left, weights, columns, sums), sum.add(row * columns));
            row += ROWS;
        }
        while row < value_dim {
            let left = Strided { start: value.add(row), per_row: 1, per_step: apart };
            let sums = scaled::<V, 1>(sum.add(row * columns), factor);
            put(multiply(count, left, weights, columns, sums), sum.add(row * columns));
            row += 1;
        }
    }
}

#[inline(always)]
unsafe fn put<V: Vector, const ROWS: usize>(sums: Sums<V, ROWS>, to: *mut f32) {
    for (row, sum) in sums.into_iter().enumerate() {
        // SAFETY: the callers have that many rows.
        unsafe {
            sum[0].store(to.add(2 * row * V::LANES));
            sum[1].store(to.add((2 * row + 1) * V::LANES));
        }
    }
}

#[inline(always)]
unsafe fn scaled<V: Vector, const ROWS: usize>(from: *const f32, factor: [V; 2]) -> Sums<V, ROWS> {
    // SAFETY: the callers have that many rows.
    unsafe {
        let mut sums = zero::<V, ROWS>();
        for (row, sum) in sums.iter_mut().enumerate() {
            let at = from.add(2 * row * V::LANES);
            *sum = [V::load(at).mul(factor[0]), V::load(at.add(V::LANES)).mul(factor[1])];
        }
        sums
    }
}
