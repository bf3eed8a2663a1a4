//! Rows by the weights of one expert.
#![expect(unsafe_code, reason = "tiles lie where their slices say, and memory is asked for beyond them")]

use std::ops::Range;

use super::weights::Packed;
use crate::matmul::isa::{Target, Tile};
use crate::matmul::pack::LEFT_ROW;
use crate::memory::{Soon, Stretch};
use crate::vector::Strided;

/// Rows that are multiplied by a panel while it is near, at most: with their sums, they take a part of a second-level cache.
pub const MOST_ROWS: usize = 192;

/// Panels of a task at most.
pub const WIDE: usize = 8;

/// Numbers that memory is asked for ahead where each is read once: 4 KiB, since processors do not look into the next page.
const AHEAD: usize = 1024;

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
                    add_panel(tile, [count, wide], left, right, &mut sums[panel * T::COLUMNS..], step == 0);
                }
            }
        }
    }
}

/// Adds to `count` rows of sums, `wide` numbers apart, the product of packed `left` `[count, LEFT_ROW]` and a panel
/// `[steps, COLUMNS]`; where `fresh`, they are set.
///
/// Few rows take a panel as fast as memory gives it, so that memory is asked for what comes next as each number is read; more rows
/// take it tile by tile, and ask for the next panel meanwhile, each tile for its share.
fn add_panel<T: Tile>(tile: &T, [count, wide]: [usize; 2], left: &[f32], right: &[f32], sums: &mut [f32], fresh: bool) {
    let (steps, tiles) = (right.len() / T::COLUMNS, count.div_ceil(T::ROWS));
    assert!(steps <= LEFT_ROW && left.len() >= count * LEFT_ROW);
    assert!(count > 0 && sums.len() >= (count - 1) * wide + T::COLUMNS);
    let next = if tiles == 1 { AHEAD } else { right.len() };
    let lines = T::COLUMNS.div_ceil(tiles);
    for (index, row) in (0..count).step_by(T::ROWS).enumerate() {
        let size = [T::ROWS.min(count - row), T::COLUMNS];
        let from = Strided { start: left[row * LEFT_ROW..].as_ptr(), per_row: LEFT_ROW, per_step: 1 };
        let to = Target { start: sums[row * wide..].as_mut_ptr(), per_row: wide, size, fresh };
        let soon = Soon::at(right.as_ptr().wrapping_add(next + index * lines * steps));
        // SAFETY: rows and steps of `left` and all columns of the sums are there, as asserted above.
        unsafe { tile.add_at(from, right, to, Stretch { from: soon, lines }) }
    }
}
