//! RMS norms of rows, with the gate that stands before or after them in a mixer.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per row, not once per register")]

use super::isa::{self, Kernel, Tools};
use super::math::{load_first, silu, store_first};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::team::parallel_for;
use crate::vector::Vector;

/// Numbers of a task, in whole rows.
const NUMBERS: usize = 1 << 13;

/// Where numbers are multiplied by z / (1 + e^−z), of a `z` as long as they are.
#[derive(Debug, Clone, Copy)]
pub enum Gate<'a> {
    /// Nowhere.
    None,
    /// Before the norm, as in Mamba-2.
    Before(&'a [f32]),
    /// After the norm, as in RetNet.
    After(&'a [f32]),
}

/// Rows to norm: x / √(mean square + epsilon) · gain (Zhang & Sennrich, arXiv 1910.07467).
#[derive(Debug, Clone, Copy)]
pub struct GatedNorm<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// `[rows, width]`
    pub x: &'a [f32],
    /// `[width]`; 1 where there is none
    pub gain: Option<&'a [f32]>,
    /// The gate of each number.
    pub gate: Gate<'a>,
    /// What is added to a mean square.
    pub epsilon: f32,
    /// Instructions to use.
    pub isa: Isa,
}

/// The norm of every row, into `out`, which is as long as `x`. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, numbers that are no whole rows, an instruction set that is absent.
pub fn gated_rms_norm(call: &GatedNorm, out: &mut [f32]) -> Result<()> {
    let GatedNorm { width, x, gain, gate, isa, .. } = *call;
    if width == 0 || !x.len().is_multiple_of(width) {
        return Err(Error::Shape(format!("{} numbers are no whole rows of {width}", x.len())));
    }
    let shape = [x.len() / width, width];
    expect_len("the result", &shape, out.len())?;
    gain.map_or(Ok(()), |gain| expect_len("the gain", &[width], gain.len()))?;
    if let Gate::Before(z) | Gate::After(z) = gate {
        expect_len("the gate", &shape, z.len())?;
    }
    with_isa!(isa, |tools| run(&tools, call, out));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &GatedNorm, out: &mut [f32]) {
    let numbers = (NUMBERS / call.width).max(1) * call.width;
    parallel_for(out.chunks_mut(numbers).enumerate(), |(task, out)| {
        tools.run(Rows { call, first: task * numbers, out });
    });
}

/// The rows of a task, from number `first` on.
struct Rows<'a> {
    call: &'a GatedNorm<'a>,
    first: usize,
    out: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let GatedNorm { width, x, gain, gate, epsilon, .. } = *self.call;
        for (row, out) in self.out.chunks_exact_mut(width).enumerate() {
            let at = self.first + row * width..self.first + (row + 1) * width;
            let (x, z) = (&x[at.clone()], |z: &[f32]| z[at.clone()].as_ptr());
            // SAFETY: the CPU has the instruction set, as promised; a register reads and writes within a row, all of whose
            // numbers are there.
            unsafe {
                let mut squares = V::splat(0.0);
                for column in (0..width).step_by(V::LANES) {
                    let lanes = V::LANES.min(width - column);
                    let mut number: V = load_first(x.as_ptr().add(column), lanes);
                    if let Gate::Before(before) = gate {
                        number = number.mul(silu(load_first(z(before).add(column), lanes)));
                    }
                    squares = number.mul_add(number, squares);
                    store_first(number, out.as_mut_ptr().add(column), lanes);
                }
                let scale = V::splat(1.0 / (squares.sum() / width as f32 + epsilon).sqrt());
                for column in (0..width).step_by(V::LANES) {
                    let lanes = V::LANES.min(width - column);
                    let mut number = scale.mul(load_first(out.as_ptr().add(column), lanes));
                    if let Some(gain) = gain {
                        number = number.mul(load_first(gain.as_ptr().add(column), lanes));
                    }
                    if let Gate::After(after) = gate {
                        number = number.mul(silu(load_first(z(after).add(column), lanes)));
                    }
                    store_first(number, out.as_mut_ptr().add(column), lanes);
                }
            }
        }
    }
}
