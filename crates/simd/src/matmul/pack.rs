//! Copies of the factors in the order in which the registers take them.

/// Packs `steps` × `columns` numbers of a row-major matrix, from (`step`, `column`) on, as `[steps, width]`; columns that
/// the matrix does not have are zero.
pub fn columns(from: &[f32], per_row: usize, step: usize, column: usize, width: usize, to: &mut [f32]) {
    let real = width.min(per_row - column);
    for (row, to) in to.chunks_exact_mut(width).enumerate() {
        to[..real].copy_from_slice(&from[(step + row) * per_row + column..][..real]);
        to[real..].fill(0.0);
    }
}

/// Packs rows `row..row + height` of a row-major matrix, columns `step..step + steps`, as `[steps, height]`; rows that the
/// matrix does not have are zero.
pub fn rows(from: &[f32], per_row: usize, row: usize, step: usize, height: usize, to: &mut [f32]) {
    let steps = to.len() / height;
    let real = height.min(from.len() / per_row - row);
    if real < height {
        to.fill(0.0);
    }
    for index in 0..real {
        let line = &from[(row + index) * per_row + step..][..steps];
        for (at, number) in to[index..].iter_mut().step_by(height).zip(line) {
            *at = *number;
        }
    }
}
