//! References that are computed row by row.

use benchbook_core::{Reference, sample_rows};
use rayon::prelude::*;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
pub const BUDGET: usize = 1 << 27;

/// Rows of the only output, which has this shape, as `one` computes them, each by `cost` multiply-adds: all of them, or as
/// many as the budget allows, 16 at least.
pub fn by_rows(shape: Vec<usize>, cost: usize, seed: u64, one: impl Fn(usize) -> Vec<f64> + Sync) -> Reference {
    let rows = sample_rows(shape.iter().rev().skip(1).product(), (BUDGET / cost).max(16), seed);
    let values = rows.par_iter().flat_map_iter(|row| one(*row)).collect();
    Reference::of(shape, rows, values)
}

/// A row times `weights` `[_, columns]`.
pub fn times(row: impl Iterator<Item = f64>, weights: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    add_product(&mut sums, row, weights);
    sums
}

/// A row times `weights` `[_, columns]`, added to what `sums` holds, one for each column.
pub fn add_product(sums: &mut [f64], row: impl Iterator<Item = f64>, weights: &[f32]) {
    for (left, right) in row.zip(weights.chunks_exact(sums.len())) {
        sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * f64::from(*right));
    }
}
