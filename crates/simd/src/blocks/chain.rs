//! A residual sum, its RMS norm and a gate: an operation after another, or in one pass over memory.
#![expect(unsafe_code, reason = "registers of any instruction set; pointers, whose bounds are those of a row")]

use super::norm::{Row, SUMMED, Scaling, number_by_number, scaling};
use super::write::{Numbers, past_caches, seen, write};
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, silu, store_first};
use crate::memory::LINE;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Rows to add, normalise and gate.
#[derive(Debug, Clone, Copy)]
pub struct NormChain<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// `[rows, width]`
    pub input: &'a [f32],
    /// `[rows, width]`, what is added.
    pub residual: &'a [f32],
    /// `[rows, width]`, what the gate is of.
    pub gate: &'a [f32],
    /// `[width]`, what a normalised number is multiplied by.
    pub gain: &'a [f32],
    /// What is added to a mean square.
    pub epsilon: f64,
    /// Instructions to use.
    pub isa: Isa,
}

/// How operations become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fusion {
    /// Every number has the bits that the operations one after another give.
    Conservative,
    /// Factors are multiplied in another order, and there is one division for gate and norm together.
    Aggressive,
}

/// The sum of input and residual into `sum`, and its RMS norm times SiLU of the gate into `out`, both `[rows, width]`, in one pass: each
/// row is read from memory once. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn norm_chain(chain: &NormChain, fusion: Fusion, [sum, out]: [&mut [f32]; 2]) -> Result<()> {
    let NormChain { width, input, residual, gate, gain, isa, .. } = *chain;
    let shape = [input.len().checked_div(width).unwrap_or(0), width];
    expect_len("the input", &shape, input.len())?;
    expect_len("the residual", &shape, residual.len())?;
    expect_len("the gate", &shape, gate.len())?;
    expect_len("the gain", &[width], gain.len())?;
    expect_len("the sum", &shape, sum.len())?;
    expect_len("the result", &shape, out.len())?;
    if !out.is_empty() {
        with_isa!(isa, |tools| run(&tools, chain, fusion, [sum, out]));
    }
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, chain: &NormChain, fusion: Fusion, [sum, out]: [&mut [f32]; 2]) {
    let numbers = each(out.len() / chain.width, chain.width) * chain.width;
    let streams = past_caches(5 * out.len());
    parallel_for(sum.chunks_mut(numbers).zip(out.chunks_mut(numbers)).enumerate(), |(task, (sum, out))| {
        let (first, count) = (task * numbers, out.len());
        let [input, residual, gate] = [chain.input, chain.residual, chain.gate].map(|all| &all[first..][..count]);
        let chain = NormChain { input, residual, gate, ..*chain };
        tools.run(Rows { chain, fusion, sum, out, streams });
    });
}

/// Some rows.
struct Rows<'a> {
    chain: NormChain<'a>,
    fusion: Fusion,
    sum: &'a mut [f32],
    out: &'a mut [f32],
    streams: bool,
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let streams = self.streams;
        // SAFETY: as promised.
        unsafe {
            match self.fusion {
                Fusion::Conservative => self.fuse::<V, false>(),
                Fusion::Aggressive => self.fuse::<V, true>(),
            }
        }
        seen(streams);
    }
}

impl Rows<'_> {
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn fuse<V: Vector, const AGGRESSIVE: bool>(self) {
        let Self { chain: NormChain { width, input, residual, gate, gain, epsilon, .. }, sum, out, streams, .. } = self;
        let rows = input.chunks_exact(width).zip(residual.chunks_exact(width)).zip(gate.chunks_exact(width));
        for (((numbers, gates), gate), (sum, out)) in
            rows.zip(sum.chunks_exact_mut(width).zip(out.chunks_exact_mut(width)))
        {
            let row = Row { numbers, gates };
            // SAFETY: as promised; all have the width of a row.
            unsafe {
                let by = scaling::<V, SUMMED>(row, epsilon);
                write::<V, _>(&Summed(row), sum, streams);
                if let Some(found) = by.wide {
                    number_by_number::<SUMMED>(found, row, [gain, &[]], out);
                    gated::<V>(gate, out);
                } else {
                    write::<V, _>(&Chained::<AGGRESSIVE> { by, row, gain, gate }, out, streams);
                }
            }
        }
    }
}

/// Multiplies numbers by SiLU of as many gates, in place.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn gated<V: Vector>(gates: &[f32], numbers: &mut [f32]) {
    assert!(gates.len() == numbers.len());
    for at in (0..gates.len()).step_by(V::LANES) {
        let count = V::LANES.min(gates.len() - at);
        // SAFETY: as promised, and within both.
        unsafe {
            let number: V = load_first(numbers.as_ptr().add(at), count);
            let gate = silu(load_first::<V>(gates.as_ptr().add(at), count));
            store_first(number.mul(gate), numbers.as_mut_ptr().add(at), count);
        }
    }
}

/// The sums of a row.
struct Summed<'a>(Row<'a>);

impl Numbers for Summed<'_> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        // SAFETY: as promised.
        unsafe { self.0.at::<V, SUMMED>(at, count) }
    }
}

/// A row when its scaling is known.
struct Chained<'a, const AGGRESSIVE: bool> {
    by: Scaling,
    row: Row<'a>,
    gain: &'a [f32],
    gate: &'a [f32],
}

impl<const AGGRESSIVE: bool> Numbers for Chained<'_, AGGRESSIVE> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        // SAFETY: as promised; gain and gate have as many numbers as the row.
        unsafe {
            let x = self.row.at::<V, SUMMED>(at, count);
            let scaled = x.mul(V::splat(self.by.scale));
            let gain = load_first::<V>(self.gain.as_ptr().add(at), count);
            let gate = load_first::<V>(self.gate.as_ptr().add(at), count);
            if AGGRESSIVE {
                let below = V::splat(1.0).add(exp(V::splat(0.0).sub(gate)));
                return scaled.mul(gain.mul(gate)).div(below);
            }
            scaled.mul(gain).mul(silu(gate))
        }
    }
}

/// An operation by which each number becomes one.
#[derive(Debug, Clone, Copy)]
pub enum Elementwise<'a> {
    /// Of two numbers the sum.
    Sum([&'a [f32]; 2]),
    /// Of two numbers the product.
    Product([&'a [f32]; 2]),
    /// x / (1 + e^−x).
    Silu(&'a [f32]),
}

/// Such an operation as a pass over memory, into `out`; past the caches where all of its numbers are more than the last level holds.
/// Nothing is allocated.
///
/// # Errors
/// Slices of different lengths, an instruction set that is absent.
pub fn elementwise(isa: Isa, of: Elementwise, out: &mut [f32]) -> Result<()> {
    let length = [out.len()];
    match of {
        Elementwise::Sum(both) | Elementwise::Product(both) => {
            expect_len("the first numbers", &length, both[0].len())?;
            expect_len("the second numbers", &length, both[1].len())?;
        }
        Elementwise::Silu(from) => expect_len("the numbers", &length, from.len())?,
    }
    with_isa!(isa, |tools| pass(&tools, of, out));
    Ok(())
}

fn pass<T: Tools + Sync>(tools: &T, of: Elementwise, out: &mut [f32]) {
    let numbers = each(out.len().div_ceil(LINE), LINE) * LINE;
    let inputs = if matches!(of, Elementwise::Silu(_)) { 1 } else { 2 };
    let streams = past_caches((1 + inputs) * out.len());
    parallel_for(out.chunks_mut(numbers).enumerate(), |(task, to)| {
        let first = task * numbers;
        tools.run(Pass { of, first, to, streams });
    });
}

/// A stretch of a pass, from number `first` on.
struct Pass<'a> {
    of: Elementwise<'a>,
    first: usize,
    to: &'a mut [f32],
    streams: bool,
}

impl Kernel for Pass<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { of, first, to, streams } = self;
        let count = to.len();
        // SAFETY: as promised; each has these numbers.
        unsafe {
            match of {
                Elementwise::Sum([one, other]) => {
                    let row = Row { numbers: &one[first..][..count], gates: &other[first..][..count] };
                    write::<V, _>(&Summed(row), to, streams);
                }
                Elementwise::Product([one, other]) => {
                    write::<V, _>(&Times([&one[first..][..count], &other[first..][..count]]), to, streams);
                }
                Elementwise::Silu(from) => write::<V, _>(&Opened(&from[first..][..count]), to, streams),
            }
        }
        seen(streams);
    }
}

/// Products of numbers.
struct Times<'a>([&'a [f32]; 2]);

impl Numbers for Times<'_> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        // SAFETY: as promised; both have as many numbers.
        unsafe {
            let [one, other] = self.0.map(|numbers| load_first::<V>(numbers.as_ptr().add(at), count));
            one.mul(other)
        }
    }
}

/// SiLU of numbers.
struct Opened<'a>(&'a [f32]);

impl Numbers for Opened<'_> {
    #[inline(always)]
    unsafe fn at<V: Vector>(&self, at: usize, count: usize) -> V {
        // SAFETY: as promised.
        unsafe { silu(load_first::<V>(self.0.as_ptr().add(at), count)) }
    }
}
