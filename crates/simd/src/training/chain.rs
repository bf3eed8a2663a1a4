//! The gradients of a residual sum, its RMS norm and a gate: an operation after another, or in one pass over memory.
#![expect(unsafe_code, reason = "registers of any instruction set; pointers, whose bounds are those of a row")]

use super::backward::{COLUMNS, sum};
use crate::blocks::Fusion;
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, store_first};
use crate::memory::scratch;
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// A chain whose gradients are wanted: out = norm(sum) · gain · SiLU(gate), by RMS norm.
#[derive(Debug, Clone, Copy)]
pub struct ChainBackward<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// `[rows, width]`, what is normalised.
    pub sum: &'a [f32],
    /// `[rows, width]`, what the gate is of.
    pub gate: &'a [f32],
    /// `[width]`, what a normalised number is multiplied by.
    pub gain: &'a [f32],
    /// `[rows, width]`, the gradient of the sum that goes past the norm.
    pub past: &'a [f32],
    /// `[rows, width]`, the gradient of the result.
    pub grad: &'a [f32],
    /// What is added to a mean square.
    pub epsilon: f64,
    /// Instructions to use.
    pub isa: Isa,
}

impl<'a> ChainBackward<'a> {
    fn rows(&self) -> usize {
        self.sum.len().checked_div(self.width).unwrap_or(0)
    }

    /// So many numbers of each matrix, from one on.
    fn part(&self, first: usize, count: usize) -> Self {
        let of = |all: &'a [f32]| &all[first..][..count];
        Self { sum: of(self.sum), gate: of(self.gate), past: of(self.past), grad: of(self.grad), ..*self }
    }

    fn check(&self, [sum, gate, gain]: [usize; 3]) -> Result<()> {
        let shape = [self.rows(), self.width];
        expect_len("the sum", &shape, self.sum.len())?;
        expect_len("the gate", &shape, self.gate.len())?;
        expect_len("the gain", &[self.width], self.gain.len())?;
        expect_len("what goes past the norm", &shape, self.past.len())?;
        expect_len("the gradient of the result", &shape, self.grad.len())?;
        expect_len("the gradient of the sum", &shape, sum)?;
        expect_len("the gradient of the gate", &shape, gate)?;
        expect_len("the gradient of the gain", &[self.width], gain)
    }
}

/// The gradients of sum and gate, `[rows, width]`, and of the gain, `[width]`, each row read from memory once. A conservative fusion
/// gives the bits of [`chain_backward_in_passes`], for which it reads sum, gate and gradient again, column by column; an aggressive one
/// adds up the gradient of the gain in another order. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn chain_backward(chain: &ChainBackward, fusion: Fusion, to: [&mut [f32]; 3]) -> Result<()> {
    chain.check(to.each_ref().map(|numbers| numbers.len()))?;
    if chain.rows() == 0 {
        let [.., to_gain] = to;
        to_gain.fill(0.0);
        return Ok(());
    }
    with_isa!(chain.isa, |tools| run(&tools, chain, fusion == Fusion::Aggressive, to));
    Ok(())
}

/// The same by a pass for the norm forward, the gate back, the norm back and the gain each; `room` is for the norm's result and its
/// gradient, `[rows, width]`.
///
/// # Errors
/// As of [`chain_backward`].
pub fn chain_backward_in_passes(chain: &ChainBackward, room: [&mut [f32]; 2], to: [&mut [f32]; 3]) -> Result<()> {
    chain.check(to.each_ref().map(|numbers| numbers.len()))?;
    for numbers in &room {
        expect_len("the room", &[chain.rows(), chain.width], numbers.len())?;
    }
    if chain.rows() == 0 {
        let [.., to_gain] = to;
        to_gain.fill(0.0);
        return Ok(());
    }
    with_isa!(chain.isa, |tools| run_passes(&tools, chain, room, to));
    Ok(())
}

fn run<T: Tools + Sync>(
    tools: &T,
    chain: &ChainBackward,
    aggressive: bool,
    [to_sum, to_gate, to_gain]: [&mut [f32]; 3],
) {
    let (width, rows) = (chain.width, chain.rows());
    let some = each(rows, width);
    // Of each row one over its root mean square, and of each task the gradient of the gain by its rows.
    scratch([rows, rows.div_ceil(some) * width], |[scales, sums]| {
        let both = to_sum.chunks_mut(some * width).zip(to_gate.chunks_mut(some * width));
        let tasks = both.zip(scales.chunks_mut(some).zip(sums.chunks_mut(width))).enumerate();
        parallel_for(tasks, |(task, ((to_sum, to_gate), (scales, sums)))| {
            let chain = chain.part(task * some * width, to_sum.len());
            tools.run(Rows { chain, aggressive, to_sum, to_gate, scales, sums });
        });
        let (scales, sums) = (&*scales, &*sums);
        parallel_for(to_gain.chunks_mut(COLUMNS).enumerate(), |(task, to)| {
            let first = task * COLUMNS;
            if aggressive {
                to.fill(0.0);
                for sums in sums.chunks_exact(width) {
                    to.iter_mut().zip(&sums[first..]).for_each(|(to, sum)| *to += sum);
                }
            } else {
                tools.run(Columns { chain, scales, norm_grad: None, first, to });
            }
        });
    });
}

fn run_passes<T: Tools + Sync>(
    tools: &T,
    chain: &ChainBackward,
    [normed, norm_grad]: [&mut [f32]; 2],
    [to_sum, to_gate, to_gain]: [&mut [f32]; 3],
) {
    let (width, rows) = (chain.width, chain.rows());
    let some = each(rows, width);
    let numbers = some * width;
    scratch([rows], |[scales]| {
        parallel_for(normed.chunks_mut(numbers).zip(scales.chunks_mut(some)).enumerate(), |(task, (to, scales))| {
            tools.run(Normed { chain: chain.part(task * numbers, to.len()), to, scales });
        });
        let (scales, normed) = (&*scales, &*normed);
        let both = to_gate.chunks_mut(numbers).zip(norm_grad.chunks_mut(numbers));
        parallel_for(both.zip(normed.chunks(numbers)).enumerate(), |(task, ((to_gate, norm_grad), normed))| {
            tools.run(Gates { chain: chain.part(task * numbers, normed.len()), normed, to_gate, norm_grad });
        });
        let norm_grad = &*norm_grad;
        let tasks = to_sum.chunks_mut(numbers).zip(scales.chunks(some).zip(norm_grad.chunks(numbers))).enumerate();
        parallel_for(tasks, |(task, (to, (scales, norm_grad)))| {
            tools.run(Sums { chain: chain.part(task * numbers, to.len()), scales, norm_grad, to });
        });
        parallel_for(to_gain.chunks_mut(COLUMNS).enumerate(), |(task, to)| {
            tools.run(Columns { chain, scales, norm_grad: Some(norm_grad), first: task * COLUMNS, to });
        });
    });
}

/// One over the root mean square of a row.
#[inline(always)]
fn scale_of(row: &[f32], epsilon: f64) -> f32 {
    let square = sum(row.len(), |at| row[at] * row[at]) / row.len() as f32;
    (1.0 / (f64::from(square) + epsilon).sqrt()) as f32
}

/// SiLU of a gate, and its slope.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
pub(super) unsafe fn opened<V: Vector>(gate: V) -> [V; 2] {
    // SAFETY: as promised.
    unsafe {
        let one = V::splat(1.0);
        let share = one.div(one.add(exp(V::splat(0.0).sub(gate))));
        [gate.mul(share), share.mul(one.add(gate.mul(one.sub(share))))]
    }
}

/// Makes of the gradient of a norm's result that of the row, which begins with what goes past the norm.
#[inline(always)]
fn behind(row: &[f32], scale: f32, [gain, past]: [&[f32]; 2], to: &mut [f32]) {
    let width = row.len();
    let (gain, past, to) = (&gain[..width], &past[..width], &mut to[..width]);
    let along = sum(width, |at| to[at] * gain[at] * (row[at] * scale)) / width as f32;
    for (((to, x), gain), past) in to.iter_mut().zip(row).zip(gain).zip(past) {
        *to = past + scale * (*to * gain - x * scale * along);
    }
}

/// All gradients of some rows but that of the gain, which is added up where that is wanted.
struct Rows<'a> {
    chain: ChainBackward<'a>,
    aggressive: bool,
    to_sum: &'a mut [f32],
    to_gate: &'a mut [f32],
    scales: &'a mut [f32],
    /// `[width]`
    sums: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { chain, aggressive, to_sum, to_gate, scales, sums } = self;
        let ChainBackward { width, sum, gate, gain, past, grad, epsilon, .. } = chain;
        assert!(gain.len() == width && sums.len() == width);
        sums.fill(0.0);
        let given = sum.chunks_exact(width).zip(gate.chunks_exact(width));
        let given = given.zip(grad.chunks_exact(width).zip(past.chunks_exact(width)));
        let to = to_sum.chunks_exact_mut(width).zip(to_gate.chunks_exact_mut(width)).zip(scales);
        for (((row, gate), (grad, past)), ((to_sum, to_gate), found)) in given.zip(to) {
            let scale = scale_of(row, epsilon);
            *found = scale;
            for at in (0..width).step_by(V::LANES) {
                let lanes = V::LANES.min(width - at);
                // SAFETY: as promised, and within rows that all have this width.
                unsafe {
                    let [open, slope] = opened(load_first::<V>(gate.as_ptr().add(at), lanes));
                    let normed = load_first::<V>(row.as_ptr().add(at), lanes).mul(V::splat(scale));
                    let grad = load_first::<V>(grad.as_ptr().add(at), lanes);
                    let norm_grad = grad.mul(open);
                    let scaled = normed.mul(load_first::<V>(gain.as_ptr().add(at), lanes));
                    store_first(grad.mul(scaled).mul(slope), to_gate.as_mut_ptr().add(at), lanes);
                    store_first(norm_grad, to_sum.as_mut_ptr().add(at), lanes);
                    if aggressive {
                        let before = load_first::<V>(sums.as_ptr().add(at), lanes);
                        store_first(before.add(norm_grad.mul(normed)), sums.as_mut_ptr().add(at), lanes);
                    }
                }
            }
            behind(row, scale, [gain, past], to_sum);
        }
    }
}

/// The norm of some rows.
struct Normed<'a> {
    chain: ChainBackward<'a>,
    to: &'a mut [f32],
    scales: &'a mut [f32],
}

impl Kernel for Normed<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { chain: ChainBackward { width, sum, gain, epsilon, .. }, to, scales } = self;
        for ((row, to), found) in sum.chunks_exact(width).zip(to.chunks_exact_mut(width)).zip(scales) {
            let scale = scale_of(row, epsilon);
            *found = scale;
            to.iter_mut().zip(row).zip(gain).for_each(|((to, x), gain)| *to = x * scale * gain);
        }
    }
}

/// The gradients of gates and of what they are multiplied with, of some numbers.
struct Gates<'a> {
    chain: ChainBackward<'a>,
    normed: &'a [f32],
    to_gate: &'a mut [f32],
    norm_grad: &'a mut [f32],
}

impl Kernel for Gates<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { chain: ChainBackward { gate, grad, .. }, normed, to_gate, norm_grad } = self;
        let count = normed.len();
        assert!(gate.len() == count && grad.len() == count && to_gate.len() == count && norm_grad.len() == count);
        for at in (0..count).step_by(V::LANES) {
            let lanes = V::LANES.min(count - at);
            // SAFETY: as promised, and within all, which are as long.
            unsafe {
                let [open, slope] = opened(load_first::<V>(gate.as_ptr().add(at), lanes));
                let grad = load_first::<V>(grad.as_ptr().add(at), lanes);
                let normed = load_first::<V>(normed.as_ptr().add(at), lanes);
                store_first(grad.mul(normed).mul(slope), to_gate.as_mut_ptr().add(at), lanes);
                store_first(grad.mul(open), norm_grad.as_mut_ptr().add(at), lanes);
            }
        }
    }
}

/// The gradients of some rows, by those of their norms.
struct Sums<'a> {
    chain: ChainBackward<'a>,
    scales: &'a [f32],
    norm_grad: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { chain: ChainBackward { width, sum, gain, past, .. }, scales, norm_grad, to } = self;
        to.copy_from_slice(norm_grad);
        let rows = sum.chunks_exact(width).zip(past.chunks_exact(width)).zip(scales);
        for (((row, past), scale), to) in rows.zip(to.chunks_exact_mut(width)) {
            behind(row, *scale, [gain, past], to);
        }
    }
}

/// The gradient of the gain in some columns, rows added in their order.
struct Columns<'a> {
    chain: &'a ChainBackward<'a>,
    scales: &'a [f32],
    /// The gradient of the norm's result, where it is in memory.
    norm_grad: Option<&'a [f32]>,
    first: usize,
    to: &'a mut [f32],
}

impl Kernel for Columns<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { chain: ChainBackward { width, sum, gate, grad, .. }, scales, norm_grad, first, to } = self;
        let count = to.len();
        to.fill(0.0);
        for (number, scale) in scales.iter().enumerate() {
            let from = number * width + first;
            let row = &sum[from..][..count];
            if let Some(norm_grad) = norm_grad {
                let grad = &norm_grad[from..][..count];
                to.iter_mut().zip(row).zip(grad).for_each(|((to, x), grad)| *to += grad * (x * scale));
                continue;
            }
            let (gate, grad) = (&gate[from..][..count], &grad[from..][..count]);
            for at in (0..count).step_by(V::LANES) {
                let lanes = V::LANES.min(count - at);
                // SAFETY: as promised, and within the part of a row that these columns are.
                unsafe {
                    let [open, _] = opened(load_first::<V>(gate.as_ptr().add(at), lanes));
                    let norm_grad = load_first::<V>(grad.as_ptr().add(at), lanes).mul(open);
                    let normed = load_first::<V>(row.as_ptr().add(at), lanes).mul(V::splat(*scale));
                    let before = load_first::<V>(to.as_ptr().add(at), lanes);
                    store_first(before.add(norm_grad.mul(normed)), to.as_mut_ptr().add(at), lanes);
                }
            }
        }
    }
}
