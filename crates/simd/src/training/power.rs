//! A gradient as two factors of low rank.
#![expect(unsafe_code, reason = "plain loops that are compiled for each instruction set")]

use super::top_k::Feedback;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::{LINE, scratch};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Columns of a task: their sums stay in a first-level cache.
const COLUMNS: usize = 1024;

/// A matrix to compress.
#[derive(Debug, Clone, Copy)]
pub struct PowerSgd<'a> {
    /// Rows, columns, and the rank of what is left of them.
    pub size: [usize; 3],
    /// `[rows, columns]`
    pub gradient: &'a [f32],
    /// `[columns, rank]`, the second factor of the last compression, or anything at first.
    pub start: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

/// Factors `[rows, rank]`, whose columns are orthonormal, and `[columns, rank]` of a gradient, by one step of the power method from
/// where the last one ended (Vogels et al., arXiv 1905.13727, algorithm 1, for one worker). With feedback, what was left before is
/// added first, and what the product of the factors lacks is left. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, a rank of 0 or above that of any such matrix, an instruction set that is absent.
pub fn power_sgd(call: &PowerSgd, feedback: Option<Feedback>, [first, second]: [&mut [f32]; 2]) -> Result<()> {
    let [rows, columns, rank] = call.size;
    if rank == 0 || rank > rows.min(columns) {
        return Err(Error::Shape(format!("a matrix of {rows} × {columns} has no {rank} orthonormal columns")));
    }
    expect_len("the gradient", &[rows, columns], call.gradient.len())?;
    expect_len("the start", &[columns, rank], call.start.len())?;
    expect_len("the first factor", &[rows, rank], first.len())?;
    expect_len("the second factor", &[columns, rank], second.len())?;
    let Some(feedback) = feedback else {
        with_isa!(call.isa, |tools| factors(&tools, call.size, call.gradient, call.start, [first, second]));
        return Ok(());
    };
    feedback.check(call.gradient.len())?;
    let Feedback { before, left } = feedback;
    with_isa!(call.isa, |tools| {
        let numbers = each(rows * columns.div_ceil(LINE), LINE) * LINE;
        let all = left.chunks_mut(numbers).zip(call.gradient.chunks(numbers)).zip(before.chunks(numbers));
        parallel_for(all, |((to, one), other)| tools.run(Add { to, one, other }));
        factors(&tools, call.size, left, call.start, [&mut *first, &mut *second]);
        less(&tools, call.size, [first, second], left);
    });
    Ok(())
}

/// Both factors of a matrix.
fn factors<T: Tools + Sync>(
    tools: &T,
    [rows, columns, rank]: [usize; 3],
    matrix: &[f32],
    start: &[f32],
    [first, second]: [&mut [f32]; 2],
) {
    scratch([rank * columns], |[by_columns]| {
        turned(start, rank, by_columns);
        let by_columns = &*by_columns;
        let some = each(rows, columns);
        let tasks = first.chunks_mut(some * rank).zip(matrix.chunks(some * columns));
        parallel_for(tasks, |(to, matrix)| tools.run(Dots { rank, by_columns, matrix, to }));
    });
    orthonormal(first, rank);
    let first = &*first;
    parallel_for(second.chunks_mut(COLUMNS * rank).enumerate(), |(task, to)| {
        scratch([COLUMNS * rank], |[sums]| {
            let count = to.len() / rank;
            let sums = &mut sums[..to.len()];
            sums.fill(0.0);
            for (row, factors) in matrix.chunks_exact(columns).zip(first.chunks_exact(rank)) {
                tools.run(Axpy { row: &row[task * COLUMNS..][..count], factors, sums: &mut *sums });
            }
            for (column, to) in to.chunks_exact_mut(rank).enumerate() {
                to.iter_mut().enumerate().for_each(|(rank, to)| *to = sums[rank * count + column]);
            }
        });
    });
}

/// Takes the product of the factors from a matrix.
fn less<T: Tools + Sync>(
    tools: &T,
    [rows, columns, rank]: [usize; 3],
    [first, second]: [&mut [f32]; 2],
    matrix: &mut [f32],
) {
    scratch([rank * columns], |[by_columns]| {
        turned(second, rank, by_columns);
        let by_columns = &*by_columns;
        let some = each(rows, columns);
        let tasks = matrix.chunks_mut(some * columns).zip(first.chunks(some * rank));
        parallel_for(tasks, |(matrix, first)| {
            for (row, factors) in matrix.chunks_exact_mut(columns).zip(first.chunks_exact(rank)) {
                tools.run(Less { factors, by_columns, row });
            }
        });
    });
}

/// Rows `[_, rank]` as columns.
fn turned(from: &[f32], rank: usize, to: &mut [f32]) {
    let count = from.len() / rank;
    for (row, from) in from.chunks_exact(rank).enumerate() {
        from.iter().enumerate().for_each(|(rank, number)| to[rank * count + row] = *number);
    }
}

/// Makes the columns of `[_, rank]` orthonormal, one after another (Gram and Schmidt, modified); sums are in `f64`. A column that has
/// nothing of its own becomes zero.
fn orthonormal(matrix: &mut [f32], rank: usize) {
    for column in 0..rank {
        for before in 0..column {
            let dot: f64 = matrix.chunks_exact(rank).map(|row| f64::from(row[before]) * f64::from(row[column])).sum();
            matrix.chunks_exact_mut(rank).for_each(|row| row[column] -= dot as f32 * row[before]);
        }
        let square: f64 = matrix.chunks_exact(rank).map(|row| f64::from(row[column]).powi(2)).sum();
        let scale = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
        matrix.chunks_exact_mut(rank).for_each(|row| row[column] = (f64::from(row[column]) * scale) as f32);
    }
}

/// Sums of two stretches.
struct Add<'a> {
    to: &'a mut [f32],
    one: &'a [f32],
    other: &'a [f32],
}

impl Kernel for Add<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { to, one, other } = self;
        to.iter_mut().zip(one).zip(other).for_each(|((to, one), other)| *to = one + other);
    }
}

/// Rows of a matrix, each times some columns.
struct Dots<'a> {
    rank: usize,
    /// `[rank, columns]`
    by_columns: &'a [f32],
    matrix: &'a [f32],
    /// `[rows, rank]`
    to: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { rank, by_columns, matrix, to } = self;
        let columns = by_columns.len() / rank;
        for (row, to) in matrix.chunks_exact(columns).zip(to.chunks_exact_mut(rank)) {
            for (to, column) in to.iter_mut().zip(by_columns.chunks_exact(columns)) {
                // A sum for each lane of a line, which the compiler may keep in registers.
                let mut sums = [0.0_f32; LINE];
                let (lines, others) = (row.chunks_exact(LINE), column.chunks_exact(LINE));
                let rest: f32 = lines.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
                for (line, other) in lines.zip(others) {
                    sums.iter_mut().zip(line).zip(other).for_each(|((sum, a), b)| *sum += a * b);
                }
                *to = sums.iter().sum::<f32>() + rest;
            }
        }
    }
}

/// A stretch of a row, times a factor for each rank, added to sums.
struct Axpy<'a> {
    row: &'a [f32],
    factors: &'a [f32],
    /// `[rank, columns]`
    sums: &'a mut [f32],
}

impl Kernel for Axpy<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { row, factors, sums } = self;
        for (factor, sums) in factors.iter().zip(sums.chunks_exact_mut(row.len())) {
            sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += factor * number);
        }
    }
}

/// A row, less what the factors have of it.
struct Less<'a> {
    factors: &'a [f32],
    /// `[rank, columns]`
    by_columns: &'a [f32],
    row: &'a mut [f32],
}

impl Kernel for Less<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { factors, by_columns, row } = self;
        for (factor, column) in factors.iter().zip(by_columns.chunks_exact(row.len())) {
            row.iter_mut().zip(column).for_each(|(number, other)| *number -= factor * other);
        }
    }
}
