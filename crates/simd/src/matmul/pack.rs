//! Copies of the factors in the order in which the registers take them, for one product or once for many.

use std::ops::Range;

use super::isa::Tile;
use crate::memory::LINE;

/// Steps of a run of packed panels at most.
pub const STEPS: usize = 256;

/// Numbers from one packed row of the left factor to the next: a block's steps, and a cache line more, since rows a power
/// of two apart would share the same few lines of the cache.
pub const LEFT_ROW: usize = STEPS + 16;

/// A matrix `[_, columns]` that is the right factor of a product: numbers as they are, or what numbers are made of.
pub trait Right: Sync {
    /// Packs whole panels of a tile's columns, `steps` rows from `step` on, columns from `first` on, as
    /// `[panels, steps, COLUMNS]`.
    fn panels<T: Tile>(&self, tile: &T, columns: usize, steps: [usize; 2], first: usize, to: &mut [f32]);

    /// Writes the last `count` numbers of these rows, fewer than a tile has columns, to the beginnings of rows `[steps, COLUMNS]`.
    fn last<T: Tile>(&self, columns: usize, steps: [usize; 2], count: usize, to: &mut [f32]);
}

impl Right for [f32] {
    fn panels<T: Tile>(&self, tile: &T, columns: usize, [step, steps]: [usize; 2], first: usize, to: &mut [f32]) {
        tile.pack(&self[step * columns + first..], columns, steps, to);
    }

    fn last<T: Tile>(&self, columns: usize, [step, _]: [usize; 2], count: usize, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(T::COLUMNS).enumerate() {
            let line = &self[(step + row) * columns..][..columns];
            to[..count].copy_from_slice(&line[columns - count..]);
        }
    }
}

/// Packs panels of a tile's columns of a right factor `[_, columns]`, `steps` rows from `step` on, as
/// `[panels, steps, COLUMNS]`; columns that it does not have are zero.
pub fn columns<T: Tile, R: Right + ?Sized>(
    tile: &T,
    from: &R,
    columns: usize,
    [step, steps]: [usize; 2],
    first: usize,
    to: &mut [f32],
) {
    let (whole, count) = ((columns - first) / T::COLUMNS, (columns - first) % T::COLUMNS);
    let (whole, rest) = to.split_at_mut(to.len().min(whole * steps * T::COLUMNS));
    from.panels(tile, columns, [step, steps], first, whole);
    if !rest.is_empty() {
        from.last::<T>(columns, [step, steps], count, rest);
        rest.chunks_exact_mut(T::COLUMNS).for_each(|row| row[count..].fill(0.0));
    }
}

/// Packs rows from `row` on of a row-major matrix `[_, columns]`, `steps` of their columns from `step` on, as
/// `[rows, LEFT_ROW]`; rows that the matrix does not have are zero.
pub fn rows(from: &[f32], columns: usize, row: usize, [step, steps]: [usize; 2], to: &mut [f32]) {
    for (index, to) in to.chunks_exact_mut(LEFT_ROW).enumerate() {
        match from.get((row + index) * columns + step..) {
            Some(line) if line.len() >= steps => to[..steps].copy_from_slice(&line[..steps]),
            _ => to[..steps].fill(0.0),
        }
    }
}

/// Packs the rows of heads `[heads, count, head_dim]` as if they were one matrix `[count, heads · head_dim]`, `steps` of its
/// columns from `step` on, as `[rows, LEFT_ROW]`; rows beyond `count` are zero.
pub fn heads(from: &[f32], count: usize, head_dim: usize, [step, steps]: [usize; 2], to: &mut [f32]) {
    for (row, to) in to.chunks_exact_mut(LEFT_ROW).enumerate() {
        let to = &mut to[..steps];
        if row < count {
            position(from, [count, head_dim], row, step, to);
        } else {
            to.fill(0.0);
        }
    }
}

/// Numbers of a position of heads `[heads, count, head_dim]`, one head's after another's, from `step` on, as many as `to` takes.
pub fn position(from: &[f32], [count, head_dim]: [usize; 2], row: usize, step: usize, to: &mut [f32]) {
    let mut done = 0;
    while done < to.len() {
        let (head, column) = ((step + done) / head_dim, (step + done) % head_dim);
        let together = (head_dim - column).min(to.len() - done);
        let from = &from[(head * count + row) * head_dim + column..][..together];
        to[done..done + together].copy_from_slice(from);
        done += together;
    }
}

/// A right factor `[k, groups · width]` in the order in which the registers take it.
///
/// Every group of columns begins with a panel of its own, so that a product can write each group to a place of its own: a
/// head, say. A width that is no multiple of a panel's costs what the last panel has too much.
#[derive(Debug)]
pub(crate) struct Panels {
    k: usize,
    /// Steps of a run.
    run: usize,
    groups: usize,
    width: usize,
    /// Columns of a panel.
    columns: usize,
    numbers: Vec<f32>,
    /// The first number, at a cache line.
    first: usize,
}

/// Where the rows of a product go.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// How many there are.
    pub count: usize,
    /// Numbers from one row to the next.
    pub apart: usize,
}

impl Panels {
    /// Packs row-major `from` `[k, groups · width]`, of as many numbers, for the tile `T`. Products are taken in runs of `run`
    /// steps, at most [`STEPS`].
    pub fn new<T: Tile>(tile: &T, from: &[f32], k: usize, run: usize, [groups, width]: [usize; 2]) -> Self {
        debug_assert!((1..=STEPS).contains(&run));
        let columns = T::COLUMNS;
        let across = groups * width.div_ceil(columns) * columns;
        let mut numbers = vec![0.0; k * across + LINE];
        // Where no line can be found, numbers are as right, and slower.
        let first = numbers.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let each = width.div_ceil(columns) * columns;
        if !from.is_empty() {
            for step in (0..k).step_by(run) {
                let steps = run.min(k - step);
                let to = &mut numbers[first + step * across..][..steps * across];
                for (group, to) in to.chunks_exact_mut(steps * each).enumerate() {
                    self::columns(tile, from, groups * width, [step, steps], group * width, to);
                }
            }
        }
        Self { k, run, groups, width, columns, numbers, first }
    }

    /// The runs that hold the steps `steps`: of each, the first step, and how many.
    pub fn runs(&self, steps: Range<usize>) -> impl Iterator<Item = [usize; 2]> + use<> {
        let (k, run) = (self.k, self.run);
        steps.step_by(run).map(move |step| [step, run.min(k - step)])
    }

    /// The share of one of [`Self::runs`] in a product: `left` holds its steps of whole tiles of rows, packed by
    /// [`rows`] or [`heads`]. Of the columns, those of `groups` are computed, and `out(group)` is where their rows
    /// go; the first run sets what the others add to.
    pub fn add<'a, T: Tile>(
        &self,
        tile: &T,
        left: &[f32],
        [step, steps]: [usize; 2],
        rows: Rows,
        groups: Range<usize>,
        mut out: impl FnMut(usize) -> &'a mut [f32],
    ) {
        debug_assert!(self.columns == T::COLUMNS && groups.end <= self.groups);
        let each = self.width.div_ceil(T::COLUMNS) * T::COLUMNS;
        let right = &self.numbers[self.first + step * self.groups * each..][..steps * self.groups * each];
        for group in groups {
            let (out, right) = (out(group), &right[group * steps * each..][..steps * each]);
            for (panel, right) in right.chunks_exact(steps * T::COLUMNS).enumerate() {
                let column = panel * T::COLUMNS;
                let columns = T::COLUMNS.min(self.width - column);
                for (index, left) in left.chunks_exact(LEFT_ROW * T::ROWS).enumerate() {
                    let row = index * T::ROWS;
                    let size = [T::ROWS.min(rows.count - row), columns];
                    tile.add(left, right, &mut out[row * rows.apart + column..], rows.apart, size, step == 0);
                }
            }
        }
    }
}
