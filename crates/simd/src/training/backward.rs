//! What lies between the products of a transformer, forward and back: GELU, norms, and cross-entropy.
#![expect(unsafe_code, reason = "registers of any instruction set; pointers, whose bounds are those of a row")]

use std::f32::consts::LN_2;

use crate::blocks::{GELU_CUBE, GELU_INNER};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, store_first, sum_first};
use crate::memory::{LINE, Pieces, scratch};
use crate::team::{each, parallel_for};
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Columns of a task.
pub(super) const COLUMNS: usize = 128;

/// GELU by a hyperbolic tangent (Hendrycks & Gimpel, arXiv 1606.08415) of as many numbers. Nothing is allocated.
///
/// # Errors
/// Slices of different lengths, an instruction set that is absent.
pub fn gelu(isa: Isa, from: &[f32], out: &mut [f32]) -> Result<()> {
    expect_len("the result", &[from.len()], out.len())?;
    with_isa!(isa, |tools| run_gelu(&tools, from, out, false));
    Ok(())
}

/// The gradient of what `from` was before GELU, in the place of that of what it is after it. Nothing is allocated.
///
/// # Errors
/// As of [`gelu`].
pub fn gelu_backward(isa: Isa, from: &[f32], grad: &mut [f32]) -> Result<()> {
    expect_len("the gradient", &[from.len()], grad.len())?;
    with_isa!(isa, |tools| run_gelu(&tools, from, grad, true));
    Ok(())
}

fn run_gelu<T: Tools + Sync>(tools: &T, from: &[f32], to: &mut [f32], back: bool) {
    let numbers = each(from.len().div_ceil(LINE), LINE) * LINE;
    parallel_for(to.chunks_mut(numbers).zip(from.chunks(numbers)), |(to, from)| {
        tools.run(Gelu { from, to, back });
    });
}

struct Gelu<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
    back: bool,
}

impl Kernel for Gelu<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { from, to, back } = self;
        let (count, to) = (from.len().min(to.len()), to.as_mut_ptr());
        for at in (0..count).step_by(V::LANES) {
            let lanes = V::LANES.min(count - at);
            // SAFETY: as promised, and within both.
            unsafe {
                let x = load_first::<V>(from.as_ptr().add(at), lanes);
                let square = x.mul(x);
                let one = V::splat(1.0);
                // (1 + tanh u) / 2 is 1 / (1 + e^−2u).
                let factor = square.mul_add(V::splat(GELU_CUBE), V::splat(GELU_INNER));
                let share = one.div(one.add(x.mul(factor).exp2()));
                let result = if back {
                    // The slope of 2u, which is −ln 2 times that of the exponent.
                    let inner = square.mul_add(V::splat(-3.0 * LN_2 * GELU_CUBE), V::splat(-LN_2 * GELU_INNER));
                    let slope = x.mul(one.sub(share)).mul_add(inner, one).mul(share);
                    load_first::<V>(to.add(at), lanes).mul(slope)
                } else {
                    x.mul(share)
                };
                store_first(result, to.add(at), lanes);
            }
        }
    }
}

/// A layer norm whose gradients are wanted.
#[derive(Debug, Clone, Copy)]
pub struct NormBackward<'a> {
    /// Numbers of a row.
    pub width: usize,
    /// `[rows, width]`
    pub input: &'a [f32],
    /// `[width]`
    pub gain: &'a [f32],
    /// `[rows, width]`, the gradient of the result.
    pub grad: &'a [f32],
    /// What is added to a variance, or to a mean square.
    pub epsilon: f64,
    /// Instructions to use.
    pub isa: Isa,
}

/// The gradients of layer norm (Ba et al., arXiv 1607.06450): that of its input is added to `to` `[rows, width]`, which holds what goes
/// past the norm; those of gain and bias `[width]` are set, with rows added in their order. Nothing is allocated once every thread has
/// its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn layer_norm_backward(norm: &NormBackward, to: &mut [f32], [gain, bias]: [&mut [f32]; 2]) -> Result<()> {
    expect_len("the gradient of the bias", &[norm.width], bias.len())?;
    call_norm::<false>(norm, to, [gain, bias])
}

/// The gradients of RMS norm (Zhang & Sennrich, arXiv 1910.07467), as [`layer_norm_backward`] has them: that of its input is added to
/// `to` `[rows, width]`, that of the gain `[width]` is set.
///
/// # Errors
/// As of [`layer_norm_backward`].
pub fn rms_norm_backward(norm: &NormBackward, to: &mut [f32], gain: &mut [f32]) -> Result<()> {
    call_norm::<true>(norm, to, [gain, &mut []])
}

/// Either; an RMS norm has no mean and no bias.
fn call_norm<const RMS: bool>(norm: &NormBackward, to: &mut [f32], [gain, bias]: [&mut [f32]; 2]) -> Result<()> {
    let width = norm.width;
    let rows = norm.input.len().checked_div(width).unwrap_or(0);
    expect_len("the input", &[rows, width], norm.input.len())?;
    expect_len("the gain", &[width], norm.gain.len())?;
    expect_len("the gradient of the result", &[rows, width], norm.grad.len())?;
    expect_len("the gradient of the input", &[rows, width], to.len())?;
    expect_len("the gradient of the gain", &[width], gain.len())?;
    if rows == 0 {
        gain.fill(0.0);
        bias.fill(0.0);
        return Ok(());
    }
    with_isa!(norm.isa, |tools| run_norm::<_, RMS>(&tools, norm, to, [gain, bias]));
    Ok(())
}

fn run_norm<T: Tools + Sync, const RMS: bool>(
    tools: &T,
    norm: &NormBackward,
    to: &mut [f32],
    [gain, bias]: [&mut [f32]; 2],
) {
    let (width, rows) = (norm.width, to.len() / norm.width);
    // Of each row the mean, and one over the deviation.
    scratch([2 * rows], |[found]| {
        let some = each(rows, width);
        let tasks = to.chunks_mut(some * width).zip(found.chunks_mut(2 * some)).enumerate();
        parallel_for(tasks, |(task, (to, found))| {
            let part = task * some * width..task * some * width + to.len();
            let (input, grad) = (&norm.input[part.clone()], &norm.grad[part]);
            tools.run(NormRows::<RMS> { norm, input, grad, to, found });
        });
        let found = &*found;
        let mut biases = bias.chunks_mut(COLUMNS);
        let both = gain.chunks_mut(COLUMNS).map(|gain| (gain, biases.next().unwrap_or_default()));
        parallel_for(both.enumerate(), |(task, (gain, bias))| {
            tools.run(NormColumns { norm, found, first: task * COLUMNS, gain, bias });
        });
    });
}

/// The gradients of some rows.
struct NormRows<'a, const RMS: bool> {
    norm: &'a NormBackward<'a>,
    input: &'a [f32],
    grad: &'a [f32],
    to: &'a mut [f32],
    found: &'a mut [f32],
}

/// The sum of what `of` makes of each place, a sum for each lane of a line, which the compiler may keep in registers.
#[inline(always)]
pub(super) fn sum(count: usize, of: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0_f32; LINE];
    let whole = count - count % LINE;
    for first in (0..whole).step_by(LINE) {
        sums.iter_mut().enumerate().for_each(|(lane, sum)| *sum += of(first + lane));
    }
    sums.iter().sum::<f32>() + (whole..count).map(of).sum::<f32>()
}

impl<const RMS: bool> Kernel for NormRows<'_, RMS> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { norm: NormBackward { width, gain, epsilon, .. }, input, grad, to, found } = self;
        let (width, gain, count) = (*width, &gain[..*width], *width as f32);
        let rows = input.chunks_exact(width).zip(grad.chunks_exact(width));
        for ((x, grad), (to, found)) in rows.zip(to.chunks_exact_mut(width).zip(found.chunks_exact_mut(2))) {
            let (x, grad) = (&x[..width], &grad[..width]);
            let mean = if RMS { 0.0 } else { sum(width, |at| x[at]) / count };
            let variance = sum(width, |at| (x[at] - mean) * (x[at] - mean)) / count;
            let scale = (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32;
            let inner = if RMS { 0.0 } else { sum(width, |at| grad[at] * gain[at]) / count };
            let along = sum(width, |at| grad[at] * gain[at] * ((x[at] - mean) * scale)) / count;
            for (((to, x), grad), gain) in to.iter_mut().zip(x).zip(grad).zip(gain) {
                *to += scale * (grad * gain - inner - (x - mean) * scale * along);
            }
            found.copy_from_slice(&[mean, scale]);
        }
    }
}

/// The gradients of gain and, where there is one, bias in some columns.
struct NormColumns<'a> {
    norm: &'a NormBackward<'a>,
    found: &'a [f32],
    first: usize,
    gain: &'a mut [f32],
    bias: &'a mut [f32],
}

impl Kernel for NormColumns<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { norm: NormBackward { width, input, grad, .. }, found, first, gain, bias } = self;
        gain.fill(0.0);
        bias.fill(0.0);
        let rows = input.chunks_exact(*width).zip(grad.chunks_exact(*width));
        for ((x, grad), found) in rows.zip(found.chunks_exact(2)) {
            let (mean, scale) = (found[0], found[1]);
            let (x, grad) = (&x[first..][..gain.len()], &grad[first..][..gain.len()]);
            gain.iter_mut().zip(x.iter().zip(grad)).for_each(|(gain, (x, grad))| *gain += grad * ((x - mean) * scale));
            bias.iter_mut().zip(grad).for_each(|(bias, grad)| *bias += grad);
        }
    }
}

/// The cross-entropies of rows of logits `[rows, columns]` and of what was wanted of each, into `losses` `[rows]` in nats; logits become
/// the gradients of the mean of all. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, a place that no row has, an instruction set that is absent.
pub fn cross_entropy(isa: Isa, columns: usize, wanted: &[i32], logits: &mut [f32], losses: &mut [f32]) -> Result<()> {
    expect_len("the logits", &[wanted.len(), columns], logits.len())?;
    expect_len("the losses", &[wanted.len()], losses.len())?;
    if let Some(strange) = wanted.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= columns)) {
        return Err(Error::Shape(format!("{strange} is wanted of {columns} logits, numbered from 0")));
    }
    if !wanted.is_empty() {
        with_isa!(isa, |tools| run_entropy(&tools, columns, wanted, logits, losses));
    }
    Ok(())
}

fn run_entropy<T: Tools + Sync>(tools: &T, columns: usize, wanted: &[i32], logits: &mut [f32], losses: &mut [f32]) {
    let share = 1.0 / wanted.len() as f32;
    let losses = Pieces::new(losses);
    parallel_for(logits.chunks_exact_mut(columns).zip(wanted).enumerate(), |(place, (row, id))| {
        // SAFETY: the loss of a row is its task's alone.
        let loss = unsafe { losses.piece(place..place + 1) };
        tools.run(Entropy { row, id: *id as usize, share, loss: &mut loss[0] });
    });
}

/// A row of logits.
struct Entropy<'a> {
    row: &'a mut [f32],
    id: usize,
    share: f32,
    loss: &'a mut f32,
}

impl Kernel for Entropy<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { row, id, share, loss } = self;
        let most = row.iter().copied().fold(f32::NEG_INFINITY, |most, logit| if logit > most { logit } else { most });
        let (own, count, at_row) = (row[id], row.len(), row.as_mut_ptr());
        // In `f64`, since there may be very many.
        let mut total = 0.0_f64;
        for at in (0..count).step_by(V::LANES) {
            let lanes = V::LANES.min(count - at);
            // SAFETY: as promised, and within the row.
            unsafe {
                let power = exp(load_first::<V>(at_row.add(at), lanes).sub(V::splat(most)));
                total += f64::from(sum_first(power, lanes));
                store_first(power, at_row.add(at), lanes);
            }
        }
        *loss = (f64::from(most) + total.ln() - f64::from(own)) as f32;
        let factor = (f64::from(share) / total) as f32;
        row.iter_mut().for_each(|power| *power *= factor);
        row[id] -= share;
    }
}
