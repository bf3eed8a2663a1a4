//! The right factor of the block that comes next, of which memory is asked while this one is multiplied.

use std::ops::Range;
use std::ptr::null;

use super::pack::Right;
use crate::memory::{Ahead, LINE, Soon};

/// Tiles of rows at the end of a block that ask for the next one: what is asked for sooner is gone when it is packed.
const TILES: usize = 8;

/// The steps of the next block of a task, shared out to the panels that the last tiles of this one take.
pub struct Coming<'a, R: ?Sized> {
    right: &'a R,
    columns: usize,
    /// Its steps; none after the last block.
    steps: Range<usize>,
    /// Its columns.
    across: Range<usize>,
    /// Tiles of rows of this block, and panels of each.
    tiles: [usize; 2],
    /// Lines of steps that a panel of this block has.
    lines: usize,
}

/// Lines of some rows, as many of them each time.
#[derive(Clone, Copy)]
pub struct Rows {
    from: Soon,
    /// Numbers from one row to the next.
    apart: usize,
    /// Lines of a row.
    wide: usize,
    each: usize,
}

impl Ahead for Rows {
    #[inline(always)]
    fn line(self, line: usize) {
        for one in line * self.each..(line + 1) * self.each {
            self.from.ask(one / self.wide * self.apart + one % self.wide * LINE);
        }
    }
}

impl<'a, R: Right + ?Sized> Coming<'a, R> {
    /// The steps and columns of the next block of a factor `[_, columns]`, beside one of so many tiles of rows, panels of each,
    /// and steps of these.
    pub fn new(
        right: &'a R,
        columns: usize,
        [steps, across]: [Range<usize>; 2],
        tiles: [usize; 2],
        of_panel: usize,
    ) -> Self {
        Self { right, columns, steps, across, tiles, lines: of_panel / LINE }
    }

    /// What tile `index` asks for while it takes panel `panel`.
    pub fn share(&self, index: usize, panel: usize) -> Rows {
        let nothing = Rows { from: Soon::at(null::<f32>()), apart: 0, wide: 1, each: 0 };
        let [tiles, panels] = self.tiles;
        let last = TILES.min(tiles);
        let Some(place) = (index + last).checked_sub(tiles).filter(|_| self.lines > 0) else { return nothing };
        let rows = self.steps.len().div_ceil(last * panels);
        let first = self.steps.start + (place * panels + panel) * rows;
        if first >= self.steps.end {
            return nothing;
        }
        let wide = self.across.len().div_ceil(LINE).max(1);
        let of = |from| Rows { from, apart: self.columns, wide, each: (rows * wide).div_ceil(self.lines) };
        self.right.place(self.columns, first, self.across.start).map_or(nothing, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tiles_ask_for_all_of_the_next_block_and_the_others_for_nothing() {
        let (columns, across) = (96, 32..96);
        let right = vec![0.0_f32; 100 * columns];
        for (tiles, panels, steps) in [(20, 2, 48), (3, 4, 64), (1, 1, 16), (9, 3, 100)] {
            let next = [100 - steps..100, across.clone()];
            let coming = Coming::new(&right[..], columns, next, [tiles, panels], steps);
            let each = |index: usize| (0..panels).map(|panel| coming.share(index, panel).each).sum::<usize>();
            let asking: Vec<usize> = (0..tiles).filter(|index| each(*index) > 0).collect();
            assert!(asking.iter().all(|index| index + TILES >= tiles), "{asking:?} of {tiles}");
            // Every line of a row, by as many as each panel has lines of steps.
            let asked: usize = asking.iter().map(|index| each(*index) * (steps / LINE)).sum();
            assert!(asked >= steps * across.len() / LINE, "{tiles} tiles of {panels} panels: {asked}");
            let none = Coming::new(&right[..], columns, [100..100, across.clone()], [tiles, panels], steps);
            assert_eq!((0..tiles).map(|index| none.share(index, 0).each).sum::<usize>(), 0, "nothing comes");
        }
    }
}
