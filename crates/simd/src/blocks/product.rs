//! Rows by packed weights, with what follows a product applied panel by panel.
#![expect(unsafe_code, reason = "tasks copy rows, whose runs do not lie together")]

use std::ops::Range;

use super::finish::{Finish, Sums};
use crate::matmul::isa::Tile;
use crate::matmul::pack::{LEFT_ROW, position};
use crate::matmul::packed::{Packed, runs};
use crate::matmul::panel::{add_panel, following};
use crate::memory::{LINE, Pieces, Soon, Stretch, scratch};
use crate::team::parallel_for;
use crate::tools::Tools;

/// Rows that are multiplied by a panel while it is near, at most: with their sums, they take a part of a second-level cache.
const MOST_ROWS: usize = 144;

/// Columns of sums of a task at most, those of all sides.
const WIDE: usize = 256;

/// Rows that are copied in one task.
const TOGETHER: usize = 16;

/// Numbers of left factors in scratch at most, unless 144 rows are more.
const MOST_NUMBERS: usize = 1 << 23;

/// Numbers that a row of `k` steps takes as a left factor.
pub fn room(k: usize) -> usize {
    runs(k).count() * LEFT_ROW
}

/// Rows that go through products at a time, of so many that take `room` numbers each: so scratch does not grow with the rows.
pub fn wave(rows: usize, room: usize) -> usize {
    rows.min((MOST_NUMBERS / room).max(MOST_ROWS))
}

/// Copies rows of `k` steps as the left factor of a product, `[runs, rows, LEFT_ROW]`: once for all tasks, since a row whose steps lie
/// as far apart as rows do would share a few lines of the cache with the others. `copy` writes some steps of a row.
pub fn pack(rows: usize, k: usize, copy: impl Fn(usize, Range<usize>, &mut [f32]) + Sync, to: &mut [f32]) {
    let to = Pieces::new(to);
    parallel_for(0..rows.div_ceil(TOGETHER), |task| {
        for row in task * TOGETHER..rows.min((task + 1) * TOGETHER) {
            for (run, [step, steps]) in runs(k).enumerate() {
                let at = (run * rows + row) * LEFT_ROW;
                // SAFETY: the runs of a row are one task's alone, which takes one piece at a time.
                let to = unsafe { to.piece(at..at + steps) };
                copy(row, step..step + steps, to);
            }
        }
    });
}

/// What writes steps of rows `[rows, k]`.
pub fn rows_of(from: &[f32], k: usize) -> impl Fn(usize, Range<usize>, &mut [f32]) + Sync {
    move |row, steps, to| to.copy_from_slice(&from[row * k..][..k][steps])
}

/// What writes steps of rows that are positions of heads `[_, heads, seq, width]`, one head's numbers after another's.
pub fn heads_of(from: &[f32], [heads, seq, width]: [usize; 3]) -> impl Fn(usize, Range<usize>, &mut [f32]) + Sync {
    move |row, steps, to| {
        let from = &from[row / seq * heads * seq * width..];
        position(from, [seq, width], row % seq, steps.start, to);
    }
}

/// Rows of `k` steps, which `copy` writes, by each of these weights, as many rows at a time as scratch is for; see [`pack`] and
/// [`product`].
pub fn products<T: Tile + Tools + Sync>(
    tile: &T,
    [rows, k]: [usize; 2],
    copy: impl Fn(usize, Range<usize>, &mut [f32]) + Sync,
    weights: &[(&Packed<1>, Finish)],
) {
    let most = wave(rows, room(k));
    if most == 0 {
        return;
    }
    scratch([most * room(k)], |[left]| {
        for first in (0..rows).step_by(most) {
            let count = most.min(rows - first);
            let left = &mut left[..count * room(k)];
            pack(count, k, |row, steps, to| copy(first + row, steps, to), left);
            for (weights, finish) in weights {
                product(tile, left, count, weights, &Finish { first: finish.first + first, ..*finish });
            }
        }
    });
}

/// The product of `rows` rows, packed by [`pack`] or by another product, with weights of which `N` sides lie together, and what
/// becomes of it. A sum is that of its runs, whose steps are added in their order: it depends on no other row.
///
/// Tasks with the same weights follow each other: large weights come from memory once.
pub fn product<T: Tile + Tools + Sync, const N: usize>(
    tile: &T,
    left: &[f32],
    rows: usize,
    weights: &Packed<N>,
    finish: &Finish,
) {
    let tiles = rows.div_ceil(T::ROWS);
    let [blocks, groups] = shares::<T>([tiles, N * weights.panels], rayon::current_num_threads());
    parallel_for(0..blocks * groups, |task| {
        let of = part(tiles, blocks, task % blocks);
        let mine = of.start * T::ROWS..rows.min(of.end * T::ROWS);
        Task { left, rows, weights, finish }.run(tile, mine, part(weights.panels, groups, task / blocks));
    });
}

/// Into how many blocks of rows and groups of panels a product is shared out: as few as keep to the caches, and as many tasks for each
/// thread.
fn shares<T: Tile>([tiles, panels]: [usize; 2], threads: usize) -> [usize; 2] {
    let blocks = tiles.div_ceil(MOST_ROWS / T::ROWS);
    let least = panels.div_ceil(WIDE / T::COLUMNS);
    let even = (least..least + threads).find(|groups| (blocks * groups).is_multiple_of(threads));
    [blocks, even.unwrap_or(least)]
}

/// The `index`-th of `parts` parts of a whole, which differ by one at most.
fn part(whole: usize, parts: usize, index: usize) -> Range<usize> {
    whole * index / parts..whole * (index + 1) / parts
}

/// A product of which a task takes some rows and panels.
struct Task<'a, const N: usize> {
    left: &'a [f32],
    rows: usize,
    weights: &'a Packed<N>,
    finish: &'a Finish<'a>,
}

impl<const N: usize> Task<'_, N> {
    fn run<T: Tile + Tools>(&self, tile: &T, rows: Range<usize>, panels: Range<usize>) {
        let (count, wide) = (rows.len(), panels.len() * T::COLUMNS);
        if count * wide == 0 {
            return;
        }
        let left = |run: usize| &self.left[(run * self.rows + rows.start) * LEFT_ROW..][..count * LEFT_ROW];
        scratch([MOST_ROWS.min(self.rows) * WIDE / N; N], |sums| {
            let mut runs = self.weights.runs().enumerate().peekable();
            while let Some((run, [step, steps])) = runs.next() {
                let right = self.weights.panels(0, [step, steps], panels.clone());
                let next = runs
                    .peek()
                    .map(|(run, steps)| (self.weights.panels(0, *steps, panels.clone()).as_ptr(), left(*run).as_ptr()));
                let places = right.len() / (steps * T::COLUMNS);
                let share = shared_out::<T>([count, steps], places);
                for (place, right) in right.chunks_exact(steps * T::COLUMNS).enumerate() {
                    let (panel, side) = (place / N, place % N);
                    // Behind the last panel of a run, the first one of the next run is taken.
                    let behind = next.map(|(weights, _)| weights).filter(|_| place + 1 == places);
                    let behind = behind.unwrap_or(right.as_ptr_range().end);
                    let soon = |tile: usize| {
                        let rows = match next {
                            Some((_, left)) => share.of(left, place * count.div_ceil(T::ROWS) + tile),
                            None => Share { lines: 0, ..share }.of(right.as_ptr(), 0),
                        };
                        (following::<T>(right, behind, [count, tile]), rows)
                    };
                    let to = &mut sums[side][panel * T::COLUMNS..];
                    add_panel(tile, [count, wide], left(run), right, to, step == 0, soon);
                    if next.is_none() && side + 1 == N {
                        let sides = sums.each_ref().map(|sums| &sums[panel * T::COLUMNS..]);
                        let column = (panels.start + panel) * T::COLUMNS;
                        let finish = self.finish;
                        tile.run(Sums { sides, wide, count, row: rows.start, column, finish });
                    }
                }
            }
        });
    }
}

/// What each tile of a run asks for of the rows of the next one.
#[derive(Clone, Copy)]
struct Share {
    /// Lines that are asked for at a time.
    lines: usize,
    /// Numbers of all that a tile asks for.
    numbers: usize,
}

/// Shares `count` rows out to the tiles of `places` panels of so many steps; a few rows stay near by themselves.
fn shared_out<T: Tile>([count, steps]: [usize; 2], places: usize) -> Share {
    let (tiles, times) = (count.div_ceil(T::ROWS), (steps / LINE).max(1));
    let lines = if tiles == 1 { 0 } else { (count * LEFT_ROW).div_ceil(LINE * places * tiles * times) };
    Share { lines, numbers: lines * times * LINE }
}

impl Share {
    /// That of tile `index` of all.
    fn of(self, left: *const f32, index: usize) -> Stretch {
        Stretch { from: Soon::at(left.wrapping_add(index * self.numbers)), lines: self.lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Portable;

    #[test]
    fn threads_get_about_as_much_and_tasks_keep_to_the_caches() {
        for threads in [1, 2, 3, 8] {
            for (rows, panels) in
                [1, 37, 144, 145, 512, 2000].into_iter().flat_map(|rows| (1..150).map(move |n| (rows, n)))
            {
                let tiles = usize::div_ceil(rows, Portable::ROWS);
                let [blocks, groups] = shares::<Portable>([tiles, panels], threads);
                assert!(blocks * groups % threads == 0);
                let [mut down, mut across] = [0, 0];
                for index in 0..blocks {
                    let part = part(tiles, blocks, index);
                    assert!(part.start == down && part.len() * Portable::ROWS <= MOST_ROWS);
                    down = part.end;
                }
                for index in 0..groups {
                    let part = part(panels, groups, index);
                    assert!(part.start == across && part.len() * Portable::COLUMNS <= WIDE);
                    across = part.end;
                }
                assert_eq!([down, across], [tiles, panels]);
            }
        }
    }

    #[test]
    fn rows_lie_in_runs() {
        let (rows, k) = (37, 600);
        let from: Vec<f32> = (0..rows * k).map(|index| index as f32).collect();
        let mut to = vec![f32::NAN; rows * room(k)];
        pack(rows, k, rows_of(&from, k), &mut to);
        for (row, step) in [(0, 0), (0, 255), (1, 256), (20, 511), (36, 512), (36, 599)] {
            assert_eq!(to[(step / 256 * rows + row) * LEFT_ROW + step % 256], (row * k + step) as f32);
        }
    }
}
