//! Rows that become columns, and sums of columns.

use crate::error::{Result, expect_len};
use crate::team::parallel_for;

/// Rows and columns that are turned at a time: a cache line of each.
const SQUARE: usize = 16;

/// Columns of a task.
const COLUMNS: usize = 128;

/// Rows `[rows, columns]` as columns, `[columns, rows]`. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length.
pub fn transpose([rows, columns]: [usize; 2], from: &[f32], to: &mut [f32]) -> Result<()> {
    expect_len("the rows", &[rows, columns], from.len())?;
    expect_len("the columns", &[columns, rows], to.len())?;
    if from.is_empty() {
        return Ok(());
    }
    parallel_for(to.chunks_mut(SQUARE * rows).enumerate(), |(task, to)| {
        for first in (0..rows).step_by(SQUARE) {
            let last = rows.min(first + SQUARE);
            for (index, to) in to.chunks_exact_mut(rows).enumerate() {
                let column = task * SQUARE + index;
                for (row, to) in (first..last).zip(&mut to[first..last]) {
                    *to = from[row * columns + column];
                }
            }
        }
    });
    Ok(())
}

/// The sums of the columns of rows `[rows, columns]`, whose rows are added in their order, into `out` `[columns]`. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length.
pub fn column_sums(columns: usize, from: &[f32], out: &mut [f32]) -> Result<()> {
    let rows = from.len().checked_div(columns).unwrap_or(0);
    expect_len("the rows", &[rows, columns], from.len())?;
    expect_len("the sums", &[columns], out.len())?;
    parallel_for(out.chunks_mut(COLUMNS).enumerate(), |(task, sums)| {
        sums.fill(0.0);
        for row in from.chunks_exact(columns) {
            let row = &row[task * COLUMNS..][..sums.len()];
            sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
        }
    });
    Ok(())
}
