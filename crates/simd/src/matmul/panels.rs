//! A right factor that is packed once for many products.

use std::ops::Range;

use super::isa::Tile;
use super::pack::{self, STEPS};
use crate::scratch::LINE;

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
                    pack::columns(tile, from, groups * width, [step, steps], group * width, to);
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
    /// [`pack::rows`] or [`pack::heads`]. Of the columns, those of `groups` are computed, and `out(group)` is where their rows
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
                for (index, left) in left.chunks_exact(pack::LEFT_ROW * T::ROWS).enumerate() {
                    let row = index * T::ROWS;
                    let size = [T::ROWS.min(rows.count - row), columns];
                    tile.add(left, right, &mut out[row * rows.apart + column..], rows.apart, size, step == 0);
                }
            }
        }
    }
}
