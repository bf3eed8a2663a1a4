//! A whole product, block by block, on all threads.
#![expect(unsafe_code, reason = "tasks write columns of the result, which do not lie together")]

use std::ops::{Range, RangeInclusive};

use super::isa::{self, Target, Tile};
use super::pack::{self, Right};
use crate::cache::second_level_bytes;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::{LINE, Pieces, Soon, scratch};
use crate::team::parallel_for;
use crate::vector::Strided;

/// Steps of a block at most: the more there are, the less often sums are written and read again.
const DEPTH: RangeInclusive<usize> = 512..=1024;

/// Panels of a block at most: with all steps, they take half of a second-level cache, in which they stay.
const WIDE: usize = 8;

/// How a product is cut into blocks: what is fast depends on the caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles {
    /// Steps of a block at most, a multiple of 16; 0: as many as half of the second-level cache holds of eight panels.
    pub depth: usize,
    /// Panels of columns of a block at most: each has as many columns as the tile in registers.
    pub panels: usize,
    /// Parts that the rows are cut into; 0: one, or one for each thread where columns cannot be shared out evenly.
    pub down: usize,
}

impl Tiles {
    /// Those of every call that names none.
    pub const USUAL: Self = Self { depth: 0, panels: WIDE, down: 0 };

    /// Steps of a block at most, where the second-level cache holds so many bytes.
    fn steps<T: Tile>(self, second_level_bytes: usize) -> usize {
        let kept = second_level_bytes / 2 / (WIDE * T::COLUMNS * size_of::<f32>());
        let kept = kept.clamp(*DEPTH.start(), *DEPTH.end()) / LINE * LINE;
        if self.depth == 0 { kept } else { self.depth }
    }
}

/// Two matrices to multiply.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// Rows of the left factor, steps, columns of the right factor.
    pub size: [usize; 3],
    /// `[m, k]`
    pub left: &'a [f32],
    /// `[k, n]`
    pub right: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

/// `out = left · right`, all row-major: packed and tiled for the caches (Goto & van de Geijn, "Anatomy of
/// high-performance matrix multiplication", ACM TOMS 34, 2008). A task packs its columns of the right factor for itself, so that no
/// thread waits for another before the end.
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, or an instruction set that is absent.
pub fn matmul(product: &Product, out: &mut [f32]) -> Result<()> {
    matmul_with(product, Tiles::USUAL, out)
}

/// The same, cut into blocks of these sizes. Sums are rounded once more for each further block of steps.
///
/// # Errors
/// As [`matmul`]; blocks of no panels, or whose steps are no multiple of 16.
pub fn matmul_with(product: &Product, tiles: Tiles, out: &mut [f32]) -> Result<()> {
    let Product { size, left, right, isa } = *product;
    expect_len("the right factor", &size[1..], right.len())?;
    if tiles.panels == 0 || !tiles.depth.is_multiple_of(LINE) {
        let told = "blocks need one panel at least, and a multiple of 16 steps";
        return Err(Error::Shape(format!("{tiles:?}: {told}")));
    }
    let factors = Factors { size, left, right };
    if factors.begin(out)? {
        with_isa!(isa, |tile| run(&tile, &factors, tiles, out));
    }
    Ok(())
}

/// Two factors of which the right one, whose size was checked, lies in whatever way `R` packs it from.
pub struct Factors<'a, R: ?Sized> {
    /// See [`Product::size`].
    pub size: [usize; 3],
    /// `[m, k]`
    pub left: &'a [f32],
    /// `[k, n]`
    pub right: &'a R,
}

impl<R: ?Sized> Factors<'_, R> {
    /// Checks lengths, and says whether there is anything to compute: sums of no steps are zero.
    ///
    /// # Errors
    /// Slices of the wrong length.
    pub fn begin(&self, out: &mut [f32]) -> Result<bool> {
        let [m, k, n] = self.size;
        expect_len("the left factor", &[m, k], self.left.len())?;
        expect_len("the result", &[m, n], out.len())?;
        if k == 0 {
            out.fill(0.0);
        }
        Ok(k > 0 && !out.is_empty())
    }
}

/// The same of factors that are not empty, where the instruction set is known.
///
/// # Panics
/// Slices of the wrong length.
pub fn multiply<T: Tile + Sync>(tile: &T, size: [usize; 3], [left, right]: [&[f32]; 2], out: &mut [f32]) {
    let [m, k, n] = size;
    assert!(m * k * n > 0 && [left.len(), right.len(), out.len()] == [m * k, k * n, m * n], "{size:?}");
    run(tile, &Factors { size, left, right }, Tiles::USUAL, out);
}

/// The product of two factors, see [`matmul`].
///
/// # Errors
/// A left factor or result of the wrong length, or an instruction set that is absent.
pub fn product<R: Right + ?Sized>(isa: Isa, factors: &Factors<R>, out: &mut [f32]) -> Result<()> {
    if factors.begin(out)? {
        with_isa!(isa, |tile| run(&tile, factors, Tiles::USUAL, out));
    }
    Ok(())
}

/// The product by a plain loop: of a step, `row` gives what makes the weight of a column. Threads share the rows of the result.
///
/// # Errors
/// A left factor or result of the wrong length.
pub fn by_loop<R: ?Sized, W: Fn(usize) -> f32>(
    factors: &Factors<R>,
    out: &mut [f32],
    row: impl Fn(usize) -> W + Sync,
) -> Result<()> {
    if !factors.begin(out)? {
        return Ok(());
    }
    let [_, k, n] = factors.size;
    parallel_for(out.chunks_exact_mut(n).zip(factors.left.chunks_exact(k)), |(sums, left)| {
        sums.fill(0.0);
        for (step, factor) in left.iter().enumerate() {
            let weight = row(step);
            for (column, sum) in sums.iter_mut().enumerate() {
                *sum += factor * weight(column);
            }
        }
    });
    Ok(())
}

fn run<T: Tile + Sync, R: Right + ?Sized>(tile: &T, factors: &Factors<R>, tiles: Tiles, out: &mut [f32]) {
    let [m, _, n] = factors.size;
    let [rows, columns] = task_size::<T>([m, n], rayon::current_num_threads(), tiles);
    let across = n.div_ceil(columns);
    let out = Pieces::new(out);
    parallel_for(0..m.div_ceil(rows) * across, |task| {
        let (row, column) = (task / across * rows, task % across * columns);
        block(tile, factors, tiles, [row..m.min(row + rows), column..n.min(column + columns)], &out);
    });
}

/// Rows and columns of a task: columns are shared out where every thread gets about as many, else rows.
pub fn task_size<T: Tile>([m, n]: [usize; 2], threads: usize, tiles: Tiles) -> [usize; 2] {
    let panels = n.div_ceil(T::COLUMNS);
    let even = panels % threads == 0 || panels >= 4 * threads;
    let [down, across] = match tiles.down {
        0 if even => [1, threads],
        0 => [threads, 1],
        down => [down, 1],
    };
    let tasks = panels.div_ceil(tiles.panels).next_multiple_of(across);
    [m.div_ceil(down), panels.div_ceil(tasks) * T::COLUMNS]
}

/// The rows `rows` and columns `columns` of the product, which are this task's alone.
pub fn block<T: Tile, R: Right + ?Sized>(
    tile: &T,
    factors: &Factors<R>,
    tiles: Tiles,
    [rows, columns]: [Range<usize>; 2],
    out: &Pieces,
) {
    let [m, k, n] = factors.size;
    let depth = k.div_ceil(k.div_ceil(tiles.steps::<T>(second_level_bytes()))).next_multiple_of(LINE);
    let panels = columns.len().div_ceil(T::COLUMNS);
    // A cache line more than a block has steps, since rows a power of two apart would share the same few lines of the cache.
    let left_row = depth + LINE;
    scratch([depth * panels * T::COLUMNS, T::ROWS * left_row], |[right, left]| {
        for step in (0..k).step_by(depth) {
            let steps = depth.min(k - step);
            let right = &mut right[..steps * panels * T::COLUMNS];
            pack::columns(tile, factors.right, n, [step, steps], columns.start, right);
            for row in rows.clone().step_by(T::ROWS) {
                let count = T::ROWS.min(rows.end - row);
                let from = left_tile(factors, [row, count], [step, steps], (&mut *left, left_row));
                for (panel, right) in right.chunks_exact(steps * T::COLUMNS).enumerate() {
                    let column = columns.start + panel * T::COLUMNS;
                    let size = [count, T::COLUMNS.min(n - column)];
                    let to = Target { start: out.pointer(row * n + column), per_row: n, size, fresh: step == 0 };
                    // Rows of the next tile.
                    let soon = [panel, panel + panels]
                        .map(|next| Soon::of(&factors.left[(row + T::ROWS + next).min(m - 1) * k + step..]));
                    // SAFETY: `from` has these rows and steps; rows and columns of the result are this task's.
                    unsafe { tile.add_at(from, right, to, soon) }
                }
            }
        }
    });
}

/// `count` rows of the left factor from `row` on, `steps` numbers of each from `step` on: where they lie, if they lie
/// together, and else copied into `room`, so many numbers apart.
fn left_tile<R: ?Sized>(
    factors: &Factors<R>,
    [row, count]: [usize; 2],
    [step, steps]: [usize; 2],
    (room, apart): (&mut [f32], usize),
) -> Strided {
    let k = factors.size[1];
    let rows = &factors.left[row * k..][..count * k];
    if steps == k {
        return Strided { start: rows.as_ptr(), per_row: k, per_step: 1 };
    }
    for (row, to) in rows.chunks_exact(k).zip(room.chunks_exact_mut(apart)) {
        to[..steps].copy_from_slice(&row[step..][..steps]);
    }
    Strided { start: room.as_ptr(), per_row: apart, per_step: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matmul::isa::Portable;

    #[test]
    fn a_block_takes_half_of_a_second_level_cache() {
        // Eight panels of 8 columns take 256 bytes a step.
        let steps = |kib: usize| Tiles::USUAL.steps::<Portable>(kib << 10);
        assert_eq!([steps(128), steps(256), steps(400), steps(512), steps(2048)], [512, 512, 800, 1024, 1024]);
        assert_eq!(Tiles { depth: 48, ..Tiles::USUAL }.steps::<Portable>(2 << 20), 48);
    }

    /// Rows and columns (in panels) of every task.
    fn tasks([m, n]: [usize; 2], threads: usize) -> Vec<[usize; 2]> {
        cut([m, n], threads, Tiles::USUAL)
    }

    fn cut([m, n]: [usize; 2], threads: usize, tiles: Tiles) -> Vec<[usize; 2]> {
        let [rows, columns] = task_size::<Portable>([m, n], threads, tiles);
        let down = (0..m).step_by(rows).map(|row| rows.min(m - row));
        let across = (0..n).step_by(columns).map(|column| columns.min(n - column).div_ceil(Portable::COLUMNS));
        down.flat_map(|rows| across.clone().map(move |panels| [rows, panels])).collect()
    }

    #[test]
    fn threads_get_about_as_much() {
        for threads in [1, 2, 3, 8] {
            for panels in 1..200 {
                let (m, n) = (240, panels * Portable::COLUMNS);
                let tasks = tasks([m, n], threads);
                assert_eq!(tasks.iter().map(|[rows, panels]| rows * panels).sum::<usize>(), m * panels);
                assert!(tasks.iter().all(|[_, panels]| *panels <= WIDE), "a block stays in the second-level cache");
                // Whoever is done first takes the next one.
                let mut loads = vec![0; threads];
                for [rows, panels] in tasks {
                    *loads.iter_mut().min().unwrap() += rows * panels;
                }
                let (most, mean) = (*loads.iter().max().unwrap(), (m * panels) as f64 / threads as f64);
                assert!(most as f64 <= 1.26 * mean, "{panels} panels, {threads} threads: {loads:?}");
            }
        }
    }

    #[test]
    fn blocks_are_as_they_are_asked_for() {
        for (panels, down) in [(1, 0), (3, 1), (8, 2), (64, 8)] {
            for (m, across) in [(1, 1), (7, 5), (240, 33)] {
                let tasks = cut([m, across * Portable::COLUMNS], 2, Tiles { panels, down, ..Tiles::USUAL });
                assert_eq!(tasks.iter().map(|[rows, panels]| rows * panels).sum::<usize>(), m * across);
                assert!(tasks.iter().all(|[_, found]| *found <= panels), "{panels} panels at most");
                assert!(down == 0 || tasks.iter().all(|[rows, _]| *rows <= m.div_ceil(down)), "{down} parts");
            }
        }
    }
}
