//! Products by weights that are kept column by column of the right factor, each with its step: rows lie side by side in registers, so
//! that a weight meets all of them.
#![expect(unsafe_code, reason = "pointers to rows that steps name; columns of the result do not lie together")]

use std::ops::Range;

use super::{share, turned};
use crate::bits::Bits;
use crate::error::Result;
use crate::isa::{Isa, with_isa};
use crate::matmul::Factors;
use crate::memory::{Pieces, plain, scratch};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};

/// Below so many rows, weights are multiplied by single numbers.
const FEW: usize = 4;

/// Columns whose sums a task keeps before it writes them out.
const COLUMNS: usize = 32;

/// Registers of rows at most.
const MOST: usize = 8;

/// The weights of a right factor `[k, n]` that are kept, whatever says which these are.
pub trait ByColumn: Sync {
    /// Steps and columns of the right factor.
    fn size(&self) -> [usize; 2];

    /// How many steps a column needs room for: none where they are kept as numbers.
    fn room(&self) -> usize;

    /// Steps of a column, below k, and as many weights; `room` is for as many steps as [`Self::room`] says.
    fn column<'a>(&'a self, column: usize, room: &'a mut [u32]) -> (&'a [u32], &'a [f32]);
}

/// `out = left · right` for `rows` rows of `left` `[rows, k]`.
///
/// # Errors
/// Slices of the wrong length, or an instruction set that is absent.
pub fn matmul_columns<W: ByColumn>(isa: Isa, rows: usize, left: &[f32], right: &W, out: &mut [f32]) -> Result<()> {
    let [k, n] = right.size();
    if !(Factors { size: [rows, k, n], left, right }).begin(out)? {
        return Ok(());
    }
    if rows < FEW {
        one_by_one(left, right, out);
        return Ok(());
    }
    with_isa!(isa, |tools| side_by_side(&tools, left, right, out));
    Ok(())
}

fn one_by_one<W: ByColumn>(left: &[f32], right: &W, out: &mut [f32]) {
    let [k, n] = right.size();
    let (each, out) = (share(n, 1), Pieces::new(out));
    parallel_for((0..n).step_by(each), |first| {
        let columns = first..n.min(first + each);
        scratch([right.room()], |[room]| {
            let room = plain::<u32>(room);
            for (row, left) in left.chunks_exact(k).enumerate() {
                // SAFETY: these columns are this task's alone.
                let to = unsafe { out.piece(row * n + columns.start..row * n + columns.end) };
                for (column, sum) in columns.clone().zip(to) {
                    *sum = sum_of(right.column(column, &mut *room), left);
                }
            }
        });
    });
}

/// Four sums at once, since one waits for itself.
fn sum_of((steps, values): (&[u32], &[f32]), left: &[f32]) -> f32 {
    let ((steps, last_steps), (values, last_values)) = (steps.as_chunks::<4>(), values.as_chunks::<4>());
    let mut sums = [0.0; 4];
    for (steps, values) in steps.iter().zip(values) {
        for (sum, (step, value)) in sums.iter_mut().zip(steps.iter().zip(values)) {
            *sum += value * left[*step as usize];
        }
    }
    let last: f32 = last_steps.iter().zip(last_values).map(|(step, value)| value * left[*step as usize]).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + last
}

fn side_by_side<T: Tools + Sync, W: ByColumn>(tools: &T, left: &[f32], right: &W, out: &mut [f32]) {
    let [k, n] = right.size();
    let rows = left.len() / k;
    let registers = rows.div_ceil(T::LANES).next_power_of_two().min(MOST);
    let width = registers * T::LANES;
    let (blocks, each) = (rows.div_ceil(width), share(n, COLUMNS));
    scratch([blocks * k * width], |[sides]| {
        turned(left, k, width, sides);
        let (sides, out) = (&*sides, &Pieces::new(out));
        let tasks = (0..n).step_by(each).flat_map(|first| (0..blocks).map(move |block| (first, block)));
        parallel_for(tasks, |(first, block)| {
            let left = &sides[block * k * width..][..k * width];
            scratch([COLUMNS * width, right.room()], |[sums, room]| {
                let room = plain::<u32>(room);
                for first in (first..n.min(first + each)).step_by(COLUMNS) {
                    let columns = first..n.min(first + COLUMNS);
                    let count = columns.len();
                    tools.run(Side { right, left, registers, columns, sums: &mut *sums, room: &mut *room });
                    for row in block * width..rows.min((block + 1) * width) {
                        // SAFETY: these columns of these rows are this task's alone.
                        let to = unsafe { out.piece(row * n + first..row * n + first + count) };
                        let from = sums[row - block * width..].iter().step_by(width);
                        to.iter_mut().zip(from).for_each(|(to, sum)| *to = *sum);
                    }
                }
            });
        });
    });
}

/// Sums of some columns with rows side by side.
struct Side<'a, W> {
    right: &'a W,
    /// `[k, registers · LANES]`
    left: &'a [f32],
    registers: usize,
    columns: Range<usize>,
    /// `[columns, registers · LANES]`
    sums: &'a mut [f32],
    /// For the steps of a column.
    room: &'a mut [u32],
}

impl<W: ByColumn> Kernel for Side<'_, W> {
    #[inline(always)]
    unsafe fn run<V: Bits, const ROWS: usize, const STATES: usize>(self) {
        let width = self.registers * V::LANES;
        assert!(self.left.len() == self.right.size()[0] * width && self.sums.len() >= self.columns.len() * width);
        // SAFETY: the CPU has the instruction set, and the lengths are as they must be. Sums that wait for the ones before take turns.
        unsafe {
            match self.registers {
                1 => self.columns::<V, 1, 4>(),
                2 => self.columns::<V, 2, 2>(),
                4 => self.columns::<V, 4, 1>(),
                8 => self.columns::<V, 8, 1>(),
                other => unreachable!("{other} registers"),
            }
        }
    }
}

impl<W: ByColumn> Side<'_, W> {
    /// # Safety
    /// The CPU has `V`'s instruction set; `left` has `REGISTERS` registers for each step, and the sums as many for each column.
    #[inline(always)]
    unsafe fn columns<V: Bits, const REGISTERS: usize, const TURNS: usize>(self) {
        let Self { right, left, columns, sums, room, .. } = self;
        let width = REGISTERS * V::LANES;
        for (column, to) in columns.zip(sums.chunks_exact_mut(width)) {
            let (steps, values) = right.column(column, &mut *room);
            let ((steps, last_steps), (values, last_values)) =
                (steps.as_chunks::<TURNS>(), values.as_chunks::<TURNS>());
            // SAFETY: as promised, with steps below k.
            unsafe {
                let mut all = [[V::splat(0.0); REGISTERS]; TURNS];
                for (steps, values) in steps.iter().zip(values) {
                    for (sums, (step, value)) in all.iter_mut().zip(steps.iter().zip(values)) {
                        add(left.as_ptr().add(*step as usize * width), *value, sums);
                    }
                }
                for (step, value) in last_steps.iter().zip(last_values) {
                    add(left.as_ptr().add(*step as usize * width), *value, &mut all[0]);
                }
                for (register, to) in to.chunks_exact_mut(V::LANES).enumerate() {
                    let mut sum = all[0][register];
                    for other in &all[1..] {
                        sum = sum.add(other[register]);
                    }
                    sum.store(to.as_mut_ptr());
                }
            }
        }
    }
}

/// Adds a weight times the rows at a step.
///
/// # Safety
/// The CPU has `V`'s instruction set, and as many registers can be read at `from`.
#[inline(always)]
unsafe fn add<V: Bits, const REGISTERS: usize>(from: *const f32, value: f32, sums: &mut [V; REGISTERS]) {
    // SAFETY: as promised.
    unsafe {
        let value = V::splat(value);
        for (register, sum) in sums.iter_mut().enumerate() {
            *sum = value.mul_add(V::load(from.add(register * V::LANES)), *sum);
        }
    }
}
