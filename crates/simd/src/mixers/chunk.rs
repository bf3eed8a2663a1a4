//! The arithmetic of a chunk of linear attention with decay: four products, each of which stays in registers.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per chunk, not once per product")]

use crate::math::{load_first, store_first};
use crate::memory::LINE;
use crate::vector::{Strided, Vector, multiply, zero};

/// Numbers of a chunk's parts.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Steps of a whole chunk.
    pub chunk: usize,
    /// Numbers of a key.
    pub keys: usize,
    /// Numbers of a value.
    pub values: usize,
    /// Lanes of a register.
    pub lanes: usize,
}

impl Sizes {
    /// Columns of a panel: two registers.
    pub fn columns(&self) -> usize {
        2 * self.lanes
    }

    /// Panels of the values.
    pub fn panels(&self) -> usize {
        self.values.div_ceil(self.columns())
    }

    /// Steps of a whole chunk, in whole panels.
    pub fn padded(&self) -> usize {
        self.chunk.next_multiple_of(self.columns())
    }

    /// Numbers of a state: `[panels, keys, columns]`.
    pub fn state(&self) -> usize {
        self.panels() * self.keys * self.columns()
    }
}

/// Where the parts of a chunk lie, all of them for one head.
#[derive(Clone, Copy)]
pub struct Parts {
    /// `[steps, keys]`
    pub query: *const f32,
    /// `[keys, padded]`, keys by columns
    pub key: *const f32,
    /// `[steps, padded]`, products of queries and keys; above the diagonal anything
    pub scores: *mut f32,
    /// `[steps, padded]`, scores times what is left of them since
    pub weights: *mut f32,
    /// `[panels, chunk, columns]`
    pub values: *mut f32,
    /// `[panels, keys, columns]`
    pub state: *mut f32,
    /// log₂ of what is left of the state after each step, `[padded]`, and what rounding has left out of it.
    pub logs: [*const f32; 2],
    /// `[padded]`, 2 to these powers
    pub left: *const f32,
}

/// Where results of a head go, and what is added to them.
#[derive(Clone, Copy)]
pub struct Target {
    /// The first number of the first step.
    pub start: *mut f32,
    /// Numbers from one step to the next.
    pub per_step: usize,
    /// The same numbers of the values as they were given, and their factor.
    pub skip: Option<(*const f32, f32)>,
}

/// Calls a tile for `ROWS` rows, and for one row where fewer are left.
macro_rules! tiles {
    ($rows:expr, $most:ident, $tile:ident, $vector:ident, |$row:ident| $($argument:expr),*) => {
        let mut $row = 0;
        while $row + $most <= $rows {
            $tile::<$vector, $most>($($argument),*);
            $row += $most;
        }
        while $row < $rows {
            $tile::<$vector, 1>($($argument),*);
            $row += 1;
        }
    };
}

/// Scores of `steps` queries, up to the panel of the diagonal.
///
/// # Safety
/// The CPU has `V`'s instruction set; query, key and scores can be read and written.
#[inline(always)]
pub unsafe fn scores<V: Vector, const ROWS: usize>(sizes: &Sizes, steps: usize, parts: Parts) {
    // SAFETY: as promised.
    unsafe {
        tiles!(steps, ROWS, score, V, |row| sizes, row, parts);
    }
}

#[inline(always)]
unsafe fn score<V: Vector, const ROWS: usize>(sizes: &Sizes, row: usize, parts: Parts) {
    let (keys, padded) = (sizes.keys, sizes.padded());
    // SAFETY: as promised to `scores`.
    unsafe {
        let left = Strided { start: parts.query.add(row * keys), per_row: keys, per_step: 1 };
        for column in (0..row + ROWS).step_by(2 * V::LANES) {
            let sums = multiply::<V, ROWS>(keys, left, parts.key.add(column), padded, zero());
            for (place, sum) in sums.into_iter().enumerate() {
                let to = parts.scores.add((row + place) * padded + column);
                sum[0].store(to);
                sum[1].store(to.add(V::LANES));
            }
        }
    }
}

/// Results of `steps` queries, and the state after them.
///
/// # Safety
/// The CPU has `V`'s instruction set; all parts can be read and written, and `steps` steps of the target.
#[inline(always)]
pub unsafe fn head<V: Vector, const ROWS: usize>(sizes: &Sizes, steps: usize, parts: Parts, target: Target) {
    // SAFETY: as promised.
    unsafe {
        weigh::<V>(sizes.padded(), steps, parts);
        for panel in 0..sizes.panels() {
            tiles!(steps, ROWS, result, V, |row| sizes, panel, row, parts, target);
        }
        fade::<V>(sizes, steps, parts);
        for panel in 0..sizes.panels() {
            tiles!(sizes.keys, ROWS, remember, V, |row| sizes, panel, row, steps, parts);
        }
    }
}

/// What is left of the second of two steps after the first, by differences of logarithms: these keep all their digits, because
/// what rounding has left out of each is subtracted too.
///
/// # Safety
/// The CPU has `V`'s instruction set; a register can be read at both of `earlier`.
#[inline(always)]
unsafe fn left<V: Vector>(later: [V; 2], earlier: [*const f32; 2]) -> V {
    // SAFETY: as promised.
    unsafe {
        let [high, low] = [later[0].sub(V::load(earlier[0])), later[1].sub(V::load(earlier[1]))];
        high.add(low).exp2()
    }
}

/// Scores become weights, as far as the register of the diagonal, in which those above it are anything.
///
/// # Safety
/// The CPU has `V`'s instruction set; scores, weights and logarithms can be read and written.
#[inline(always)]
unsafe fn weigh<V: Vector>(padded: usize, steps: usize, parts: Parts) {
    let [high, low] = parts.logs;
    for row in 0..steps {
        // SAFETY: as promised; what a register has too much lies within the padded row.
        unsafe {
            let (from, to) = (parts.scores.add(row * padded), parts.weights.add(row * padded));
            let later = [V::splat(*high.add(row)), V::splat(*low.add(row))];
            for column in (0..=row).step_by(V::LANES) {
                let left = left(later, [high.add(column), low.add(column)]);
                V::load(from.add(column)).mul(left).store(to.add(column));
            }
        }
    }
}

#[inline(always)]
unsafe fn result<V: Vector, const ROWS: usize>(sizes: &Sizes, panel: usize, row: usize, parts: Parts, target: Target) {
    let (keys, padded, columns) = (sizes.keys, sizes.padded(), 2 * V::LANES);
    // SAFETY: as promised to `head`.
    unsafe {
        let query = Strided { start: parts.query.add(row * keys), per_row: keys, per_step: 1 };
        let state = parts.state.add(panel * keys * columns);
        let mut sums = multiply::<V, ROWS>(keys, query, state, columns, zero());
        for (place, sum) in sums.iter_mut().enumerate() {
            let left = V::splat(*parts.left.add(row + place));
            *sum = [left.mul(sum[0]), left.mul(sum[1])];
        }
        let start = parts.weights.add(row * padded);
        let values = parts.values.add(panel * sizes.chunk * columns);
        let weights = Strided { start, per_row: padded, per_step: 1 };
        let mut sums = multiply::<V, ROWS>(row, weights, values, columns, sums);
        // The triangle on the diagonal: a weight of zero would make NaN of what is infinite later.
        for earlier in 0..ROWS {
            let value = values.add((row + earlier) * columns);
            let value = [V::load(value), V::load(value.add(V::LANES))];
            for (place, sum) in sums.iter_mut().enumerate() {
                if place >= earlier {
                    let weight = V::splat(*start.add(place * padded + row + earlier));
                    *sum = [weight.mul_add(value[0], sum[0]), weight.mul_add(value[1], sum[1])];
                }
            }
        }
        for (place, sum) in sums.into_iter().enumerate() {
            let at = (row + place) * target.per_step + panel * columns;
            for (side, sum) in sum.into_iter().enumerate() {
                let lanes = sizes.values.saturating_sub(panel * columns + side * V::LANES).min(V::LANES);
                if lanes > 0 {
                    let at = at + side * V::LANES;
                    let sum = match target.skip {
                        Some((value, factor)) => V::splat(factor).mul_add(load_first(value.add(at), lanes), sum),
                        None => sum,
                    };
                    store_first(sum, target.start.add(at), lanes);
                }
            }
        }
    }
}

/// Values times what is left of them after the last of `steps` steps.
///
/// # Safety
/// The CPU has `V`'s instruction set; values and logarithms can be read and written.
#[inline(always)]
unsafe fn fade<V: Vector>(sizes: &Sizes, steps: usize, parts: Parts) {
    let [high, low] = parts.logs;
    // SAFETY: as promised; a register that begins within the steps ends within the padded ones.
    unsafe {
        let later = [V::splat(*high.add(steps - 1)), V::splat(*low.add(steps - 1))];
        for first in (0..steps).step_by(V::LANES) {
            let mut factors = [0.0; LINE];
            left(later, [high.add(first), low.add(first)]).store(factors.as_mut_ptr());
            for (step, factor) in (first..steps.min(first + V::LANES)).zip(factors) {
                let factor = V::splat(factor);
                for panel in 0..sizes.panels() {
                    let at = parts.values.add((panel * sizes.chunk + step) * 2 * V::LANES);
                    V::load(at).mul(factor).store(at);
                    V::load(at.add(V::LANES)).mul(factor).store(at.add(V::LANES));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn remember<V: Vector, const ROWS: usize>(sizes: &Sizes, panel: usize, row: usize, steps: usize, parts: Parts) {
    let (padded, columns) = (sizes.padded(), 2 * V::LANES);
    // SAFETY: as promised to `head`.
    unsafe {
        let left = V::splat(*parts.left.add(steps - 1));
        let state = parts.state.add((panel * sizes.keys + row) * columns);
        let mut sums = zero::<V, ROWS>();
        for (place, sum) in sums.iter_mut().enumerate() {
            let from = state.add(place * columns);
            *sum = [left.mul(V::load(from)), left.mul(V::load(from.add(V::LANES)))];
        }
        let key = Strided { start: parts.key.add(row * padded), per_row: padded, per_step: 1 };
        let values = parts.values.add(panel * sizes.chunk * columns);
        let sums = multiply::<V, ROWS>(steps, key, values, columns, sums);
        for (place, sum) in sums.into_iter().enumerate() {
            let to = state.add(place * columns);
            sum[0].store(to);
            sum[1].store(to.add(V::LANES));
        }
    }
}
