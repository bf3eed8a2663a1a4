//! Rows by one packed panel, tile by tile.
#![expect(unsafe_code, reason = "tiles lie where their slices say, and memory is asked for beyond them")]

use super::isa::{Target, Tile};
use super::pack::LEFT_ROW;
use crate::memory::{Ahead, Soon, Stretch};
use crate::vector::Strided;

/// Numbers that memory is asked for ahead where each is read once: 4 KiB, since processors do not look into the next page.
const AHEAD: usize = 1024;

/// Adds to `count` rows of sums, `wide` numbers apart, the product of packed `left` `[count, LEFT_ROW]` and a panel
/// `[steps, COLUMNS]`; where `fresh`, they are set. `soon` says what the tile of an index asks memory for meanwhile.
pub fn add_panel<T: Tile, A: Ahead>(
    tile: &T,
    [count, wide]: [usize; 2],
    left: &[f32],
    right: &[f32],
    sums: &mut [f32],
    fresh: bool,
    soon: impl Fn(usize) -> A,
) {
    let steps = right.len() / T::COLUMNS;
    assert!(steps <= LEFT_ROW && left.len() >= count * LEFT_ROW);
    assert!(count > 0 && sums.len() >= (count - 1) * wide + T::COLUMNS);
    for (index, row) in (0..count).step_by(T::ROWS).enumerate() {
        let size = [T::ROWS.min(count - row), T::COLUMNS];
        let from = Strided { start: left[row * LEFT_ROW..].as_ptr(), per_row: LEFT_ROW, per_step: 1 };
        let to = Target { start: sums[row * wide..].as_mut_ptr(), per_row: wide, size, fresh };
        // SAFETY: rows and steps of `left` and all columns of the sums are there, as asserted above.
        unsafe { tile.add_at(from, right, to, soon(index)) }
    }
}

/// What tile `index` of `count` rows asks for while it takes the panel `right`, after which `next` is taken.
///
/// Few rows take a panel as fast as memory gives it, so that memory is asked for what comes next as each number is read; more rows
/// take it tile by tile, and ask for the next panel meanwhile, each tile for its share.
pub fn following<T: Tile>(right: &[f32], next: *const f32, [count, index]: [usize; 2]) -> Stretch {
    let (steps, tiles) = (right.len() / T::COLUMNS, count.div_ceil(T::ROWS));
    let lines = T::COLUMNS.div_ceil(tiles);
    let from = if tiles == 1 { right.as_ptr().wrapping_add(AHEAD) } else { next.wrapping_add(index * lines * steps) };
    Stretch { from: Soon::at(from), lines }
}
