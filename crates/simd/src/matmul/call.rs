//! A whole product, block by block, on all threads.
#![expect(unsafe_code, reason = "the tile of an instruction set is made where it was detected")]

use super::isa::{self, Tile};
use super::pack::{self, LEFT_ROW};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::scratch::scratch;
use crate::team::share;

/// Steps of a block: its columns of the right factor stay in the first-level cache.
pub(crate) const STEPS: usize = 256;

/// Panels of the right factor that a thread packs at a time.
const PANELS: usize = 8;

/// Rows of a block at most: they stay in the second-level cache.
const MOST_ROWS: usize = 192;

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
/// high-performance matrix multiplication", ACM TOMS 34, 2008).
///
/// Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, or an instruction set that is absent.
pub fn matmul(product: &Product, out: &mut [f32]) -> Result<()> {
    let [m, k, n] = product.size;
    expect_len("the left factor", &[m, k], product.left.len())?;
    expect_len("the right factor", &[k, n], product.right.len())?;
    expect_len("the result", &[m, n], out.len())?;
    if k == 0 {
        out.fill(0.0);
        return Ok(());
    }
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(product.isa, |tile| run(&tile, product, out));
    Ok(())
}

fn run<T: Tile + Sync>(tile: &T, product: &Product, out: &mut [f32]) {
    let [m, k, n] = product.size;
    let panels = n.div_ceil(T::COLUMNS);
    let rows = block_rows(m, T::ROWS);
    scratch([STEPS.min(k) * panels * T::COLUMNS], |[right]| {
        for step in (0..k).step_by(STEPS) {
            let steps = STEPS.min(k - step);
            let right = &mut right[..steps * panels * T::COLUMNS];
            share(right.chunks_mut(PANELS * steps * T::COLUMNS).enumerate(), |(group, to)| {
                pack::columns(product.right, n, step, group * PANELS * T::COLUMNS, [steps, T::COLUMNS], to);
            });
            let right = &*right;
            share(out.chunks_mut(rows * n).enumerate(), |(block, out)| {
                let height = (out.len() / n).next_multiple_of(T::ROWS);
                scratch([height * LEFT_ROW], |[left]| {
                    pack::rows(product.left, k, block * rows, [step, steps], left);
                    multiply(tile, left, right, steps, out, n, step == 0);
                });
            });
        }
    });
}

/// Every tile of a block of rows.
fn multiply<T: Tile>(tile: &T, left: &[f32], right: &[f32], steps: usize, out: &mut [f32], n: usize, fresh: bool) {
    let height = out.len() / n;
    for (panel, right) in right.chunks_exact(steps * T::COLUMNS).enumerate() {
        let column = panel * T::COLUMNS;
        let columns = T::COLUMNS.min(n - column);
        for (index, left) in left.chunks_exact(LEFT_ROW * T::ROWS).enumerate() {
            let row = index * T::ROWS;
            let rows = T::ROWS.min(height - row);
            tile.add(left, right, &mut out[row * n + column..], n, [rows, columns], fresh);
        }
    }
}

/// Rows of a block: whole tiles, and several blocks for every thread.
fn block_rows(m: usize, tile: usize) -> usize {
    let share = m.div_ceil(2 * rayon::current_num_threads());
    share.clamp(1, MOST_ROWS).next_multiple_of(tile)
}
