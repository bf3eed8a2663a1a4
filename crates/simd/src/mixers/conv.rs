//! The short causal convolution before a mixer.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per piece of work, not once per product")]

use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{load_first, silu, store_first};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Steps of a task.
const STEPS: usize = 32;

/// Weights that are multiplied by before a sum is written.
const TAPS: usize = 4;

/// Sizes of a causal convolution by channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSize {
    /// Sequences.
    pub batch: usize,
    /// Steps of a sequence.
    pub seq: usize,
    /// Channels, each convolved by itself.
    pub channels: usize,
    /// Steps that a result depends on, its own included.
    pub width: usize,
}

/// What is convolved: y[t] = f(bias + Σₖ weight[k] · x[t + k − (width − 1)]), where f is x / (1 + e^−x) or nothing, and what
/// stands before the first step is the last of `start`.
#[derive(Debug, Clone, Copy)]
pub struct CausalConv<'a> {
    /// Sizes of all that follows.
    pub size: ConvSize,
    /// `[batch, seq, channels]`
    pub x: &'a [f32],
    /// `[width, channels]`, the weight of the newest step last: PyTorch's `[channels, 1, width]` by columns
    pub weight: &'a [f32],
    /// `[channels]`
    pub bias: &'a [f32],
    /// `[batch, width − 1, channels]`, the steps before the first, oldest first
    pub start: &'a [f32],
    /// Whether results go through x / (1 + e^−x).
    pub silu: bool,
    /// Instructions to use.
    pub isa: Isa,
}

impl CausalConv<'_> {
    fn check(&self, out: &[f32], end: &[f32]) -> Result<()> {
        let ConvSize { batch, seq, channels, width } = self.size;
        let Some(before) = width.checked_sub(1) else {
            return Err(Error::Shape("a convolution of width 0 sees nothing: give 1 at least".into()));
        };
        for (name, numbers) in [("x", self.x), ("the result", out)] {
            expect_len(name, &[batch, seq, channels], numbers.len())?;
        }
        expect_len("weight", &[width, channels], self.weight.len())?;
        expect_len("bias", &[channels], self.bias.len())?;
        for (name, numbers) in [("the first state", self.start), ("the last state", end)] {
            expect_len(name, &[batch, before, channels], numbers.len())?;
        }
        Ok(())
    }

    /// Step `step` of `start` and x of a sequence, one after the other.
    fn row(&self, sequence: usize, step: usize) -> &[f32] {
        let ConvSize { seq, channels, width, .. } = self.size;
        let (from, row) = match step.checked_sub(width - 1) {
            Some(step) => (self.x, sequence * seq + step),
            None => (self.start, sequence * (width - 1) + step),
        };
        &from[row * channels..][..channels]
    }
}

/// The convolution into `out` `[batch, seq, channels]`, and the last `width − 1` steps of `start` and x into `end`
/// `[batch, width − 1, channels]`. Nothing is allocated.
///
/// # Errors
/// Slices of the wrong length, a width of 0, an instruction set that is absent.
pub fn causal_conv(call: &CausalConv, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    call.check(out, end)?;
    with_isa!(call.isa, |tools| run(&tools, call, out));
    let ConvSize { seq, channels, width, .. } = call.size;
    if !end.is_empty() {
        for (row, end) in end.chunks_exact_mut(channels).enumerate() {
            let (sequence, step) = (row / (width - 1), row % (width - 1));
            end.copy_from_slice(call.row(sequence, seq + step));
        }
    }
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &CausalConv, out: &mut [f32]) {
    let ConvSize { seq, channels, .. } = call.size;
    if out.is_empty() {
        return;
    }
    let sequences = out.chunks_mut(seq * channels).enumerate();
    let tasks = sequences.flat_map(|(sequence, out)| {
        let steps = out.chunks_mut(STEPS * channels).enumerate();
        steps.map(move |(number, out)| (sequence, number * STEPS, out))
    });
    parallel_for(tasks, |(sequence, first, out)| tools.run(Steps { call, sequence, first, out }));
}

/// Some steps of a sequence.
struct Steps<'a> {
    call: &'a CausalConv<'a>,
    sequence: usize,
    first: usize,
    /// `[steps, channels]`
    out: &'a mut [f32],
}

impl Kernel for Steps<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { call, sequence, first, out } = self;
        let ConvSize { channels, width, .. } = call.size;
        for (step, out) in out.chunks_exact_mut(channels).enumerate() {
            for tap in (0..width).step_by(TAPS) {
                let taps = TAPS.min(width - tap);
                let mut rows = [std::ptr::null::<f32>(); TAPS];
                for (place, row) in rows[..taps].iter_mut().enumerate() {
                    *row = call.row(sequence, first + step + tap + place).as_ptr();
                }
                let to = out.as_mut_ptr();
                let begun = if tap == 0 { call.bias.as_ptr() } else { to.cast_const() };
                let gated = call.silu && tap + taps == width;
                for channel in (0..channels).step_by(V::LANES) {
                    let lanes = V::LANES.min(channels - channel);
                    // SAFETY: as promised; each row has these channels.
                    unsafe {
                        let mut sum = load_first::<V>(begun.add(channel), lanes);
                        for (place, row) in rows[..taps].iter().enumerate() {
                            let weight = call.weight.as_ptr().add((tap + place) * channels + channel);
                            sum = load_first::<V>(weight, lanes).mul_add(load_first(row.add(channel), lanes), sum);
                        }
                        let result = if gated { silu(sum) } else { sum };
                        store_first(result, to.add(channel), lanes);
                    }
                }
            }
        }
    }
}
