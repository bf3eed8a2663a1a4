//! One query against a run of keys, lanes along head_dim: for so few queries that memory is what limits.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per run, not once per product")]

use super::step::KEYS;
use crate::memory::Soon;
use crate::vector::Vector;

/// Registers of sums that are kept at once.
const WIDE: usize = 4;

/// What one query has gathered.
pub struct Row<'a> {
    /// `[head_dim]`: the query, times scale and log₂ e.
    pub query: &'a [f32],
    /// `[KEYS]`: scores, then weights of a run.
    pub weights: &'a mut [f32],
    /// `[head_dim]`: weighted sum of values.
    pub sum: &'a mut [f32],
    /// Largest score, and sum of weights.
    pub bounds: &'a mut [f32; 2],
    /// Keys and values of the run that follows: a line of theirs is asked for with each line of this one. All at once they
    /// would fill the queue of memory and keep this run's own reads waiting.
    pub soon: [Soon; 2],
}

/// Scores of `count` keys in `row.weights`.
///
/// # Safety
/// The CPU has `V`'s instruction set, and `key` holds `count · head_dim` numbers.
#[inline(always)]
pub unsafe fn score<V: Vector>(head_dim: usize, count: usize, key: *const f32, row: &mut Row) {
    debug_assert!(row.query.len() >= head_dim && row.weights.len() >= count);
    let whole = head_dim - head_dim % V::LANES;
    let (query, [soon, _]) = (row.query.as_ptr(), row.soon);
    // SAFETY: `head_dim` numbers of the query and of every key below `count`.
    unsafe {
        for index in 0..count {
            let key = key.add(index * head_dim);
            let mut sums = [V::splat(0.0); 2];
            let mut at = 0;
            while at < whole {
                soon.ask(index * head_dim + at);
                let side = at / V::LANES % 2;
                sums[side] = V::load(query.add(at)).mul_add(V::load(key.add(at)), sums[side]);
                at += V::LANES;
            }
            let mut score = sums[0].add(sums[1]).sum();
            for at in whole..head_dim {
                score += *query.add(at) * *key.add(at);
            }
            row.weights[index] = score;
        }
    }
}

/// Turns scores of `count` keys into weights and gives the factor of all sums so far; see [`super::step::soften`].
///
/// # Safety
/// The CPU has `V`'s instruction set, and `count` is at most [`KEYS`].
#[inline(always)]
pub unsafe fn soften<V: Vector>(count: usize, row: &mut Row) -> f32 {
    debug_assert!(row.weights.len() >= KEYS && KEYS.is_multiple_of(V::LANES));
    let padded = count.next_multiple_of(V::LANES);
    row.weights[count..padded].fill(f32::NEG_INFINITY);
    let weights = row.weights.as_mut_ptr();
    let [before, total] = *row.bounds;
    // SAFETY: `padded` is at most `KEYS`.
    unsafe {
        let mut most = V::splat(before);
        for at in (0..padded).step_by(V::LANES) {
            most = V::load(weights.add(at)).max(most);
        }
        let largest = most.largest();
        let most = V::splat(largest);
        let mut sum = V::splat(0.0);
        for at in (0..padded).step_by(V::LANES) {
            let weight = V::load(weights.add(at)).sub(most).exp2();
            weight.store(weights.add(at));
            sum = sum.add(weight);
        }
        let factor = V::splat(before - largest).exp2().largest();
        *row.bounds = [largest, total * factor + sum.sum()];
        factor
    }
}

/// Adds `count` values, each times its weight.
///
/// # Safety
/// The CPU has `V`'s instruction set, and `value` holds `count · head_dim` numbers.
#[inline(always)]
pub unsafe fn gather<V: Vector>(head_dim: usize, count: usize, value: *const f32, factor: f32, row: &mut Row) {
    debug_assert!(row.sum.len() >= head_dim && row.weights.len() >= count);
    let (weights, sum, [_, soon]) = (row.weights.as_ptr(), row.sum.as_mut_ptr(), row.soon);
    let size = [head_dim, count];
    let mut start = 0;
    // SAFETY: `head_dim` numbers of the sum and of every value below `count`.
    unsafe {
        while start + WIDE * V::LANES <= head_dim {
            part::<V, WIDE>(size, start, value, weights, factor, sum, soon);
            start += WIDE * V::LANES;
        }
        while start + V::LANES <= head_dim {
            part::<V, 1>(size, start, value, weights, factor, sum, soon);
            start += V::LANES;
        }
        for at in start..head_dim {
            let mut one = *sum.add(at) * factor;
            for index in 0..count {
                one += *weights.add(index) * *value.add(index * head_dim + at);
            }
            *sum.add(at) = one;
        }
    }
}

/// `N` registers of the sum, from number `start` on.
#[inline(always)]
unsafe fn part<V: Vector, const N: usize>(
    [head_dim, count]: [usize; 2],
    start: usize,
    value: *const f32,
    weights: *const f32,
    factor: f32,
    to: *mut f32,
    soon: Soon,
) {
    // SAFETY: the caller has `N` registers' worth from `start` on at `to` and in every value.
    unsafe {
        let (value, to) = (value.add(start), to.add(start));
        let mut sums = [V::splat(0.0); N];
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum = V::load(to.add(index * V::LANES)).mul(V::splat(factor));
        }
        for key in 0..count {
            let weight = V::splat(*weights.add(key));
            for (index, sum) in sums.iter_mut().enumerate() {
                let at = key * head_dim + index * V::LANES;
                soon.ask(start + at);
                *sum = weight.mul_add(V::load(value.add(at)), *sum);
            }
        }
        for (index, sum) in sums.into_iter().enumerate() {
            sum.store(to.add(index * V::LANES));
        }
    }
}
