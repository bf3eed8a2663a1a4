//! Products by weights of which most are zero and left out: one by one (with their steps, or with a bit for
//! each place), by sixteen columns, and two of every four.
//!
//! A weight or a block of zero is left out whatever stands beside it: what is not finite on the left meets it no more. Where fewer
//! than two of four are left, zeros stand for the others.

mod bitmap;
mod blocks;
mod columns;
mod csr;
mod two_four;

pub use bitmap::{BitmapWeights, matmul_bitmap};
pub use blocks::{BlockWeights, matmul_blocks};
pub use csr::{CsrWeights, matmul_csr};
pub use two_four::{Pruned, TwoFourWeights, matmul_two_four};

use crate::team::parallel_for;

/// Tasks of a thread, so that a late one does not hold up the rest for long: how much there is to do differs by column.
const SHARES: usize = 8;

/// Steps that a task turns round, at a time: with the numbers of a tile, they stay in a first-level cache.
const STRETCH: usize = 64;

/// Rows `[rows, k]` as `[⌈rows / width⌉, k, width]`; rows that do not exist are zero.
fn turned(left: &[f32], k: usize, width: usize, to: &mut [f32]) {
    let stretches = to.chunks_exact_mut(k * width).enumerate().flat_map(|(block, to)| {
        let stretches = to.chunks_mut(STRETCH * width).enumerate();
        stretches.map(move |(stretch, to)| (block, stretch * STRETCH, to))
    });
    parallel_for(stretches, |(block, first, to)| {
        let mut rows = left.chunks_exact(k).skip(block * width);
        for column in 0..width {
            let to = to[column..].iter_mut().step_by(width);
            match rows.next() {
                Some(row) => to.zip(&row[first..]).for_each(|(to, number)| *to = *number),
                None => to.for_each(|to| *to = 0.0),
            }
        }
    });
}

/// Columns of a task.
fn share(n: usize, least: usize) -> usize {
    n.div_ceil(SHARES * rayon::current_num_threads()).next_multiple_of(least)
}
