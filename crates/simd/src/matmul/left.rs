//! Rows of the left factor where a tile reads them.
#![expect(unsafe_code, reason = "rows of the next tile are copied while this one is multiplied")]

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::{copy_nonoverlapping, null, null_mut};

use crate::memory::{Ahead, LINE, Soon};
use crate::vector::Strided;

/// Rows that are brought nearer while a tile takes a panel.
const EACH: usize = 2;

/// Some steps of a left factor, a tile of rows after another: as they lie, where they are all steps, and else copied, since
/// rows a power of two apart would share the same few lines of the cache. The next tile is copied a line at a time while this
/// one is multiplied: the arithmetic does not wait for it, and memory was asked for it a tile before.
pub struct Left<'a> {
    /// `[m, k]`
    from: &'a [f32],
    k: usize,
    /// Its last row.
    last: usize,
    /// The first step, and how many there are.
    steps: [usize; 2],
    /// Rows of a tile.
    tile: usize,
    /// Two tiles in turn, rows `apart` numbers apart.
    room: *mut f32,
    apart: usize,
    lent: PhantomData<&'a mut [f32]>,
}

/// What the tile before does for the next one while it takes a panel.
#[derive(Clone, Copy)]
pub struct Next {
    soon: [Soon; EACH],
    /// Rows that are copied, from where and to where; nowhere where there is none.
    copied: [(*const f32, *mut f32); EACH],
}

impl Ahead for Next {
    #[inline(always)]
    fn line(self, line: usize) {
        self.soon.line(line);
        for (from, to) in self.copied {
            if !to.is_null() {
                // SAFETY: `Left` alone makes them: both rows have each line of the steps, and nobody reads `to` yet.
                unsafe { copy_nonoverlapping(from.add(line * LINE), to.add(line * LINE), LINE) }
            }
        }
    }
}

impl<'a> Left<'a> {
    /// The steps `steps`, the first and how many, of rows of `k` numbers; `room` is for two tiles of `tile` rows.
    ///
    /// # Panics
    /// Steps that are not there, or too little room for their copies.
    pub fn new(from: &'a [f32], k: usize, steps: [usize; 2], tile: usize, room: &'a mut [f32]) -> Self {
        let (apart, last) = (room.len() / (2 * tile), from.len() / k - 1);
        assert!(steps[0] + steps[1] <= k && (steps[1] == k || steps[1] <= apart));
        Self { from, k, last, steps, tile, room: room.as_mut_ptr(), apart, lent: PhantomData }
    }

    fn is_copied(&self) -> bool {
        self.steps[1] < self.k
    }

    /// The steps of a row.
    fn row(&self, row: usize) -> &'a [f32] {
        &self.from[row * self.k + self.steps[0]..][..self.steps[1]]
    }

    /// The same for memory to be asked for; of the last row, where there is no such one.
    fn soon(&self, row: usize) -> Soon {
        Soon::of(self.row(row.min(self.last)))
    }

    /// Where a row of tile `index` is copied to.
    fn place(&self, index: usize, row: usize) -> *mut f32 {
        debug_assert!(row < self.tile);
        self.room.wrapping_add((index % 2 * self.tile + row) * self.apart)
    }

    /// Tile `index`, whose first row is `row`.
    pub fn tile(&self, index: usize, row: usize) -> Strided {
        if self.is_copied() {
            return Strided { start: self.place(index, 0), per_row: self.apart, per_step: 1 };
        }
        Strided { start: self.row(row).as_ptr(), per_row: self.k, per_step: 1 }
    }

    /// Makes the first tile ready, whose rows these are, and asks memory for the next one.
    pub fn begin(&self, rows: Range<usize>) {
        if self.is_copied() {
            let next = rows.end;
            self.copy(0, rows, 0);
            for row in next..=self.last.min(next + self.tile - 1) {
                let soon = self.soon(row);
                (0..self.steps[1]).step_by(LINE).for_each(|step| soon.ask(step));
            }
        }
    }

    /// What is done for tile `index`, whose rows these are, while the one before it takes a panel of so many. All panels together
    /// take care of [`EACH`] times as many rows.
    pub fn ahead(&self, index: usize, rows: &Range<usize>, [panel, panels]: [usize; 2]) -> Next {
        let places = [panel, panel + panels];
        // What is copied now was asked for a tile before.
        let beyond = if self.is_copied() { self.tile } else { 0 };
        let copied = |place: usize| {
            let row = rows.start + place;
            if self.is_copied() && row < rows.end {
                (self.row(row).as_ptr(), self.place(index, place))
            } else {
                (null(), null_mut())
            }
        };
        Next { soon: places.map(|place| self.soon(rows.start + beyond + place)), copied: places.map(copied) }
    }

    /// Copies what is left of tile `index`, whose rows these are, after so many panels.
    pub fn finish(&self, index: usize, rows: Range<usize>, panels: usize) {
        if self.is_copied() {
            self.copy(index, rows, EACH * panels);
        }
    }

    /// Copies the rows of tile `index`; of the first `lined` of them all whole lines are there.
    fn copy(&self, index: usize, rows: Range<usize>, lined: usize) {
        for (place, row) in rows.enumerate() {
            let done = if place < lined { self.steps[1] / LINE * LINE } else { 0 };
            let rest = &self.row(row)[done..];
            // SAFETY: a row of a tile has room for all steps, and nobody reads this tile yet.
            unsafe { copy_nonoverlapping(rest.as_ptr(), self.place(index, place).add(done), rest.len()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn a_tile_is_there_when_its_turn_comes_however_many_panels_there_are() {
        let (m, k, tile) = (7, 100, 3);
        let from: Vec<f32> = (0..m * k).map(|number| number as f32).collect();
        let all = [[0, k], [20, 40], [60, 37], [96, 4]].map(|steps| [1, 2, 5].map(|panels| (steps, panels)));
        for (steps, panels) in all.into_iter().flatten() {
            let mut room = vec![f32::NAN; 2 * tile * 64];
            let left = Left::new(&from, k, steps, tile, &mut room);
            for (index, row) in (0..m).step_by(tile).enumerate() {
                let rows = row..m.min(row + tile);
                let next = rows.end..m.min(rows.end + tile);
                if index == 0 {
                    left.begin(rows.clone());
                }
                for panel in 0..panels {
                    let ahead = left.ahead(index + 1, &next, [panel, panels]);
                    (0..steps[1] / LINE).for_each(|line| ahead.line(line));
                    let here = left.tile(index, row);
                    for (place, row) in rows.clone().enumerate() {
                        // SAFETY: a row of a tile has all of these steps, and nobody writes to it now.
                        let found = unsafe { slice::from_raw_parts(here.start.add(place * here.per_row), steps[1]) };
                        assert_eq!(found, &from[row * k + steps[0]..][..steps[1]], "{steps:?}, {panels} panels");
                    }
                }
                left.finish(index + 1, next, panels);
            }
        }
    }
}
