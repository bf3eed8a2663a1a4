//! From the query back to its keys: gates add up to positions, positions choose what is added to scores.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per tile, not once per product")]

use crate::vector::Vector;

/// Rows of a table at most: numbers of rows are whole numbers of `f32`, and places in a table are below 2³¹.
pub const MOST_POSITIONS: usize = 1 << 24;

/// How far two registers of queries have come.
pub struct Walk<'a> {
    /// `[last + 2, columns]`: products of queries and embeddings, times log₂ e; the last row is there twice.
    pub table: &'a [f32],
    /// The last position.
    pub last: usize,
    /// `[columns]`: the whole part of the position so far, 0 to `last`.
    pub whole: &'a mut [f32],
    /// `[columns]`: what is beyond the whole part, 0 to 1.
    pub fraction: &'a mut [f32],
}

impl Walk<'_> {
    /// Whether all columns are at the last position, and what that adds is a number.
    pub fn over(&self) -> bool {
        let last = self.last as f32;
        self.whole.iter().all(|whole| *whole == last) && self.at_last().iter().all(|number| number.is_finite())
    }

    /// What the last position adds.
    pub fn at_last(&self) -> &[f32] {
        &self.table[self.last * self.whole.len()..][..self.whole.len()]
    }
}

/// Goes through the scores of `count` keys, `[count, columns]` in units of log₂ e, from the last to the first: the sigmoid of
/// each moves the position on, and the products at the positions around it, interpolated, are added to the score.
///
/// Whole part and fraction are kept apart: a sum of both would lose as many bits as the whole part has. A gate is 1 at most,
/// so the whole part moves by one row at most, and what was the upper row becomes the lower one.
///
/// # Safety
/// The CPU has `V`'s instruction set; `scores` holds `count` rows of two registers, the whole and the fractions hold one row,
/// the table `last + 2`; `last` is below [`MOST_POSITIONS`], and the whole parts are whole numbers from 0 to `last`.
#[inline(always)]
pub unsafe fn advance<V: Vector>(count: usize, scores: *mut f32, walk: &mut Walk) {
    let columns = 2 * V::LANES;
    let table = walk.table.as_ptr();
    let [wholes, fractions] = [walk.whole.as_mut_ptr(), walk.fraction.as_mut_ptr()];
    // SAFETY: rows below `count` of the scores; of the table, rows `whole` and `whole + 1`, where `whole` is `last` at most.
    unsafe {
        let (zero, one, last) = (V::splat(0.0), V::splat(1.0), V::splat(walk.last as f32));
        let [mut whole, mut fraction, mut lower, mut upper] = [[zero; 2]; 4];
        for side in 0..2 {
            let half = side * V::LANES;
            whole[side] = V::load(wholes.add(half));
            fraction[side] = V::load(fractions.add(half));
            lower[side] = whole[side].look_up(table.add(half), columns);
            upper[side] = whole[side].look_up(table.add(half + columns), columns);
        }
        for row in (0..count).rev() {
            for side in 0..2 {
                let half = side * V::LANES;
                let at = scores.add(row * columns + half);
                let score = V::load(at);
                // Bounded: the gate of a hidden key, with a score of −∞, is 2^−126.
                let gate = one.div(one.add(zero.sub(score).min(V::splat(126.0)).exp2()));
                let sum = fraction[side].add(gate);
                // At most 1, though a sum just below 2 is rounded up; NaN stays in the fraction.
                let step = one.min(sum.floor());
                fraction[side] = sum.sub(step);
                whole[side] = last.min(whole[side].add(step));
                lower[side] = step.mul_add(upper[side], one.sub(step).mul(lower[side]));
                upper[side] = whole[side].look_up(table.add(half + columns), columns);
                let added = fraction[side].mul_add(upper[side].sub(lower[side]), lower[side]);
                score.add(added).store(at);
            }
        }
        for side in 0..2 {
            whole[side].store(wholes.add(side * V::LANES));
            fraction[side].store(fractions.add(side * V::LANES));
        }
    }
}
