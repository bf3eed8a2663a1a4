//! Copies of the factors in the order in which the registers take them.

use super::isa::Tile;

/// Steps of a run of packed panels at most.
pub const STEPS: usize = 256;

/// Numbers from one packed row of the left factor to the next: a block's steps, and a cache line more, since rows a power
/// of two apart would share the same few lines of the cache.
pub const LEFT_ROW: usize = STEPS + 16;

/// Packs panels of a tile's columns of a row-major matrix `[_, columns]`, `steps` rows from `step` on, as
/// `[panels, steps, COLUMNS]`; columns that the matrix does not have are zero.
pub fn columns<T: Tile>(
    tile: &T,
    from: &[f32],
    columns: usize,
    [step, steps]: [usize; 2],
    first: usize,
    to: &mut [f32],
) {
    let whole = (columns - first) / T::COLUMNS;
    let (whole, rest) = to.split_at_mut(to.len().min(whole * steps * T::COLUMNS));
    tile.pack(&from[step * columns + first..], columns, steps, whole);
    for (row, to) in rest.chunks_exact_mut(T::COLUMNS).enumerate() {
        let line = &from[(step + row) * columns..][..columns];
        let (real, beyond) = to.split_at_mut((columns - first) % T::COLUMNS);
        real.copy_from_slice(&line[columns - real.len()..]);
        beyond.fill(0.0);
    }
}

/// Packs rows from `row` on of a row-major matrix `[_, columns]`, `steps` of their columns from `step` on, as
/// `[rows, LEFT_ROW]`; rows that the matrix does not have are zero.
pub fn rows(from: &[f32], columns: usize, row: usize, [step, steps]: [usize; 2], to: &mut [f32]) {
    for (index, to) in to.chunks_exact_mut(LEFT_ROW).enumerate() {
        match from.get((row + index) * columns + step..) {
            Some(line) if line.len() >= steps => to[..steps].copy_from_slice(&line[..steps]),
            _ => to[..steps].fill(0.0),
        }
    }
}

/// Packs the rows of heads `[heads, count, head_dim]` as if they were one matrix `[count, heads · head_dim]`, `steps` of its
/// columns from `step` on, as `[rows, LEFT_ROW]`; rows beyond `count` are zero.
pub fn heads(from: &[f32], count: usize, head_dim: usize, [step, steps]: [usize; 2], to: &mut [f32]) {
    for (row, to) in to.chunks_exact_mut(LEFT_ROW).enumerate() {
        let to = &mut to[..steps];
        if row >= count {
            to.fill(0.0);
            continue;
        }
        let mut done = 0;
        while done < steps {
            let (head, column) = ((step + done) / head_dim, (step + done) % head_dim);
            let together = (head_dim - column).min(steps - done);
            let from = &from[(head * count + row) * head_dim + column..][..together];
            to[done..done + together].copy_from_slice(from);
            done += together;
        }
    }
}
