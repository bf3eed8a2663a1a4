//! The recurrence of RWKV-4: averages of values, weighted by keys and by how long ago they were.
#![expect(
    unsafe_code,
    reason = "pointers: bounds are checked once per piece of work; tasks write columns of the result"
)]

use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, sigmoid, store_first};
use crate::memory::{LINE, Pieces};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// What goes through the recurrence (Peng et al., arXiv 2305.13048, section 3.1). A state is an average of values and the
/// logarithm of its weight, which fades by exp(−exp(`decay`)) a step; a step's own key has the bonus `u` in its own result:
/// y = σ(r) · average of what was and of v, the weight of which is e^(u + k), and the state takes it up by e^k.
#[derive(Debug, Clone, Copy)]
pub struct Rwkv4<'a> {
    /// Sequences, steps of a sequence, channels.
    pub size: [usize; 3],
    /// `[batch, seq, channels]`, receptance
    pub r: &'a [f32],
    /// `[batch, seq, channels]`, keys
    pub k: &'a [f32],
    /// `[batch, seq, channels]`, values
    pub v: &'a [f32],
    /// `[channels]`, of which the decay is made
    pub decay: &'a [f32],
    /// `[channels]`, the bonus
    pub u: &'a [f32],
    /// `[batch, channels, 2]`, before the first step: the average, and the logarithm of its weight, −∞ where there is none
    pub start: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

/// The recurrence into `out` `[batch, seq, channels]`, and the state after the last step into `end` `[batch, channels, 2]`.
///
/// Averages and weights are kept as sums beside the largest exponent so far, so that no exponential overflows. Nothing is
/// allocated.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn rwkv4(call: &Rwkv4, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    let Rwkv4 { size: [batch, seq, channels], r, k, v, decay, u, start, isa } = *call;
    for (name, numbers) in [("r", r), ("k", k), ("v", v), ("the result", &*out)] {
        expect_len(name, &[batch, seq, channels], numbers.len())?;
    }
    for (name, numbers) in [("decay", decay), ("u", u)] {
        expect_len(name, &[channels], numbers.len())?;
    }
    for (name, numbers) in [("the first state", start), ("the last state", &*end)] {
        expect_len(name, &[batch, channels, 2], numbers.len())?;
    }
    with_isa!(isa, |tools| run(&tools, call, out, end));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &Rwkv4, out: &mut [f32], end: &mut [f32]) {
    let [batch, seq, channels] = call.size;
    if seq == 0 {
        return end.copy_from_slice(call.start);
    }
    let across = channels.div_ceil(T::LANES);
    let (out, end) = (Pieces::new(out), Pieces::new(end));
    parallel_for(0..batch * across, |task| {
        let (sequence, first) = (task / across, task % across * T::LANES);
        let count = T::LANES.min(channels - first);
        let at = (sequence * channels + first) * 2;
        // SAFETY: the states of these channels are this task's alone.
        let end = unsafe { end.piece(at..at + 2 * count) };
        tools.run(Register { call, sequence, first, count, out: &out, end });
    });
}

/// A register of channels of a sequence.
struct Register<'a> {
    call: &'a Rwkv4<'a>,
    sequence: usize,
    first: usize,
    count: usize,
    out: &'a Pieces<'a>,
    /// `[count, 2]`
    end: &'a mut [f32],
}

impl Kernel for Register<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(self) {
        let Self { call, sequence, first, count, out, end } = self;
        let [_, seq, channels] = call.size;
        let start = &call.start[2 * (sequence * channels + first)..][..2 * count];
        let [mut average, mut most, mut weight] = [[0.0_f32; LINE]; 3];
        for (lane, state) in start.chunks_exact(2).enumerate() {
            (average[lane], most[lane]) = (state[0], state[1]);
        }
        // SAFETY: as promised; what is read lies within inputs whose lengths were checked, and these channels of the result are
        // this task's alone.
        unsafe {
            let fade = V::splat(0.0).sub(exp(load_first::<V>(call.decay.as_ptr().add(first), count)));
            let bonus = load_first::<V>(call.u.as_ptr().add(first), count);
            // Sums of values and of weights, both times e^−most.
            let (mut sum, mut all) = (V::load(average.as_ptr()), V::splat(1.0));
            let mut largest = V::load(most.as_ptr());
            for step in 0..seq {
                let at = (sequence * seq + step) * channels + first;
                let [r, k, v] = [call.r, call.k, call.v].map(|numbers| numbers[at..][..count].as_ptr());
                let (k, v) = (load_first::<V>(k, count), load_first::<V>(v, count));
                let own = bonus.add(k);
                let (before, now) = shares(largest, own);
                let mean = before.mul_add(sum, now.mul(v)).div(before.mul_add(all, now));
                store_first(mean.mul(sigmoid(load_first(r, count))), out.pointer(at), count);
                let faded = largest.add(fade);
                largest = faded.max(k);
                let (before, now) = shares(faded, k);
                sum = before.mul_add(sum, now.mul(v));
                all = before.mul_add(all, now);
            }
            sum.div(all).store(average.as_mut_ptr());
            all.store(weight.as_mut_ptr());
            largest.store(most.as_mut_ptr());
        }
        for (lane, state) in end.chunks_exact_mut(2).enumerate() {
            (state[0], state[1]) = (average[lane], most[lane] + weight[lane].ln());
        }
    }
}

/// e to the powers of two numbers, each less the larger of both. Where that is infinite, it is one beside the other's zero.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn shares<V: Vector>(one: V, other: V) -> (V, V) {
    // SAFETY: as promised.
    unsafe {
        let zero = V::splat(0.0);
        // Not a number stays so: it is no larger than zero, and no smaller.
        (exp(one.sub(other).min(zero)), exp(other.sub(one).min(zero)))
    }
}
