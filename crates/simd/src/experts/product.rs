//! Rows by the weights of one expert, and what becomes of the sums.

use std::ops::Range;

use crate::blocks::{Finish, Sums};
use crate::matmul::isa::Tile;
use crate::matmul::pack::LEFT_ROW;
use crate::matmul::packed::Packed;
use crate::matmul::panel::{add_panel, following};
use crate::tools::Tools;

/// Rows that are multiplied by a panel while it is near, at most: with their sums, they take a part of a second-level cache.
pub const MOST_ROWS: usize = 192;

/// Panels of a task at most.
pub const WIDE: usize = 8;

/// Panels of an expert that a task multiplies by.
pub struct Part<'a, const N: usize> {
    pub packed: &'a Packed<N>,
    pub expert: usize,
    pub panels: Range<usize>,
}

impl<const N: usize> Part<'_, N> {
    /// Columns of the sums, those of the last panel that do not exist included.
    pub fn wide<T: Tile>(&self) -> usize {
        self.panels.len() * T::COLUMNS
    }

    /// The products of `count` rows `row(index)` in `sums` `[count, wide]`, one for each side.
    ///
    /// `left` has room for `[count, LEFT_ROW]`. Each sum is that of its runs, whose steps are added in their order: it depends
    /// neither on the other rows nor on the other columns.
    pub fn multiply<'r, T: Tile>(
        &self,
        tile: &T,
        count: usize,
        row: impl Fn(usize) -> &'r [f32],
        left: &mut [f32],
        mut sums: [&mut [f32]; N],
    ) {
        let wide = self.wide::<T>();
        for [step, steps] in self.packed.runs() {
            for (index, to) in left.chunks_exact_mut(LEFT_ROW).take(count).enumerate() {
                to[..steps].copy_from_slice(&row(index)[step..][..steps]);
            }
            let panels = self.packed.panels(self.expert, [step, steps], self.panels.clone());
            for (panel, sides) in panels.chunks_exact(N * steps * T::COLUMNS).enumerate() {
                for (right, sums) in sides.chunks_exact(steps * T::COLUMNS).zip(&mut sums) {
                    let next = right.as_ptr_range().end;
                    let soon = |index: usize| following::<T>(right, next, [count, index]);
                    add_panel(tile, [count, wide], left, right, &mut sums[panel * T::COLUMNS..], step == 0, soon);
                }
            }
        }
    }

    /// What becomes of the sums `[count, wide]` of each side: `count` rows of a result from `row` on, in the columns of these panels.
    pub fn finish<T: Tile + Tools>(&self, tile: &T, count: usize, sums: [&[f32]; N], row: usize, finish: &Finish) {
        let wide = self.wide::<T>();
        for (place, panel) in self.panels.clone().enumerate() {
            let sides = sums.map(|sums| &sums[place * T::COLUMNS..]);
            tile.run(Sums { sides, wide, count, row, column: panel * T::COLUMNS, finish });
        }
    }
}
