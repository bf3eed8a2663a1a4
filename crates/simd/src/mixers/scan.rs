//! The selective scan of Mamba.
#![expect(unsafe_code, reason = "tasks write columns of the result, which do not lie together")]

use std::f32::consts::LOG2_E;

use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, silu, softplus, store_first, sum_first};
use crate::memory::{Pieces, Soon, scratch};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Steps of a chunk: what is prepared for them stays in a first-level cache, and states move between registers and memory once
/// in so many steps.
const STEPS: usize = 32;

/// Up to so many steps, states stay as they lie in memory.
const FEW: usize = 4;

/// Registers of channels in a task, where there are enough for all threads: whole lines of the cache next to each other.
const WIDE: usize = 4;

/// Sizes of a selective scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanSize {
    /// Sequences.
    pub batch: usize,
    /// Steps of a sequence.
    pub seq: usize,
    /// Channels, each with a state of its own.
    pub channels: usize,
    /// Numbers of the state of a channel.
    pub state: usize,
}

/// What is scanned (Gu & Dao, arXiv 2312.00752, algorithm 2). With Δ = softplus(`delta` + `delta_bias`) and A = −exp(`a_log`), of
/// each channel: h ← exp(Δ A) h + Δ B x, y = (C h + D x) · z / (1 + e^−z). So B is discretised by Euler's rule, as in Mamba's
/// own code.
#[derive(Debug, Clone, Copy)]
pub struct SelectiveScan<'a> {
    /// Sizes of all that follows.
    pub size: ScanSize,
    /// `[batch, seq, channels]`
    pub x: &'a [f32],
    /// `[batch, seq, channels]`, before its bias and the softplus
    pub delta: &'a [f32],
    /// `[channels]`
    pub delta_bias: &'a [f32],
    /// `[channels, state]`
    pub a_log: &'a [f32],
    /// `[batch, seq, state]`
    pub b: &'a [f32],
    /// `[batch, seq, state]`
    pub c: &'a [f32],
    /// `[channels]`
    pub d: &'a [f32],
    /// `[batch, seq, channels]`, the gate
    pub z: &'a [f32],
    /// `[batch, channels, state]`, before the first step
    pub start: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

impl SelectiveScan<'_> {
    /// Refuses slices of the wrong length.
    pub(super) fn check(&self) -> Result<()> {
        let ScanSize { batch, seq, channels, state } = self.size;
        for (name, numbers) in [("x", self.x), ("delta", self.delta), ("z", self.z)] {
            expect_len(name, &[batch, seq, channels], numbers.len())?;
        }
        for (name, numbers) in [("b", self.b), ("c", self.c)] {
            expect_len(name, &[batch, seq, state], numbers.len())?;
        }
        for (name, numbers) in [("delta_bias", self.delta_bias), ("d", self.d)] {
            expect_len(name, &[channels], numbers.len())?;
        }
        expect_len("a_log", &[channels, state], self.a_log.len())?;
        expect_len("the first state", &[batch, channels, state], self.start.len())
    }
}

/// The scan into `out` `[batch, seq, channels]`, and the state after the last step into `end` `[batch, channels, state]`.
///
/// A register has one state of as many channels as it has lanes, so that nothing is summed across lanes; states stay in
/// registers over a chunk of steps, and time is the inner loop. The 16 states of a channel fill a register of AVX-512 too, but
/// then C h is a sum across its lanes for each channel and step, several shuffles and additions that wait for each other, where
/// here it is one multiply-add for each state; only that many states, and such registers, have no empty lanes; and Δ, Δ x
/// and the gate of a step, which lie by channel, would be spread one by one, where here B and C are, which all channels share.
/// A call of few steps does take the states of a channel as lanes, as they lie in memory: to turn them would cost more.
///
/// Exponentials below 2⁻¹²⁶ are 0: such a decay forgets all. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn selective_scan(call: &SelectiveScan, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    call.check()?;
    let ScanSize { batch, seq, channels, state } = call.size;
    expect_len("the result", &[batch, seq, channels], out.len())?;
    expect_len("the last state", &[batch, channels, state], end.len())?;
    with_isa!(call.isa, |tools| run(&tools, call, out, end));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &SelectiveScan, out: &mut [f32], end: &mut [f32]) {
    let ScanSize { batch, seq, channels, state } = call.size;
    if seq == 0 {
        return end.copy_from_slice(call.start);
    }
    let registers = batch * channels.div_ceil(T::LANES);
    let wide = if registers >= 4 * WIDE * rayon::current_num_threads() { WIDE } else { 1 };
    let each = wide * T::LANES;
    let across = channels.div_ceil(each);
    let (out, end) = (Pieces::new(out), Pieces::new(end));
    let steps = seq.min(STEPS);
    // Those of a call of few steps stay where they are.
    let kept = if seq > FEW { each * state } else { 0 };
    parallel_for(0..batch * across, |task| {
        let (sequence, first) = (task / across, task % across * each);
        let count = each.min(channels - first);
        let at = (sequence * channels + first) * state;
        // SAFETY: the states of these channels are this task's alone.
        let end = unsafe { end.piece(at..at + count * state) };
        scratch([steps * each, steps * each, steps * each, kept, kept], |room| {
            tools.run(Channels { call, sequence, first, count, out: &out, end, room });
        });
    });
}

/// The channels of a task, of one sequence.
struct Channels<'a> {
    call: &'a SelectiveScan<'a>,
    sequence: usize,
    first: usize,
    count: usize,
    out: &'a Pieces<'a>,
    /// `[count, state]`
    end: &'a mut [f32],
    /// Of a chunk, each `[steps, wide]`: Δ, Δ x, and sums. Then, `[registers, state, LANES]`, A log₂ e and states.
    room: [&'a mut [f32]; 5],
}

impl Kernel for Channels<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(mut self) {
        let (seq, state) = (self.call.size.seq, self.call.size.state);
        let wide = self.count.next_multiple_of(V::LANES);
        // SAFETY: the CPU has the instruction set, as promised; the call's lengths were checked, and the channels are there.
        unsafe {
            if seq <= FEW {
                self.prepare::<V>(wide, 0, seq);
                for channel in 0..self.count {
                    self.by_lanes::<V>(wide, channel);
                }
                return self.finish::<V>(wide, 0, seq);
            }
            self.gather::<V>();
            for step in (0..seq).step_by(STEPS) {
                let steps = STEPS.min(seq - step);
                self.prepare::<V>(wide, step, steps);
                for register in 0..wide / V::LANES {
                    let mut one = 0;
                    while one + STATES <= state {
                        self.advance::<V, STATES>(wide, register, one, step, steps);
                        one += STATES;
                    }
                    while one < state {
                        self.advance::<V, 1>(wide, register, one, step, steps);
                        one += 1;
                    }
                }
                self.finish::<V>(wide, step, steps);
            }
        }
        self.scatter(V::LANES);
    }
}

impl Channels<'_> {
    /// Where the channels of step `step` lie in x and what has its shape.
    fn row(&self, step: usize) -> usize {
        (self.sequence * self.call.size.seq + step) * self.call.size.channels + self.first
    }

    /// Δ, Δ x and D x of a chunk.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn prepare<V: Vector>(&mut self, wide: usize, step: usize, steps: usize) {
        let call = self.call;
        let far = STEPS * call.size.channels;
        assert!(self.room[..3].iter().all(|part| part.len() >= steps * wide));
        // SAFETY: as promised; what is read lies within inputs whose lengths were checked, and what is written in the room.
        unsafe {
            for number in 0..steps {
                let row = self.row(step + number);
                for column in (0..wide).step_by(V::LANES) {
                    let (lanes, at) = (V::LANES.min(self.count - column), number * wide + column);
                    for soon in [call.x, call.delta, call.z] {
                        Soon::of(soon).ask(row + column + far);
                    }
                    let x = load_first::<V>(call.x.as_ptr().add(row + column), lanes);
                    let bias = load_first::<V>(call.delta_bias.as_ptr().add(self.first + column), lanes);
                    let skip = load_first::<V>(call.d.as_ptr().add(self.first + column), lanes);
                    let delta = softplus(load_first::<V>(call.delta.as_ptr().add(row + column), lanes).add(bias));
                    delta.store(self.room[0].as_mut_ptr().add(at));
                    delta.mul(x).store(self.room[1].as_mut_ptr().add(at));
                    skip.mul(x).store(self.room[2].as_mut_ptr().add(at));
                }
            }
        }
    }

    /// Gates the sums of a chunk, into the result.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn finish<V: Vector>(&mut self, wide: usize, step: usize, steps: usize) {
        assert!(self.room[2].len() >= steps * wide);
        // SAFETY: as promised; these channels of the result are this task's alone.
        unsafe {
            for number in 0..steps {
                let row = self.row(step + number);
                for column in (0..wide).step_by(V::LANES) {
                    let lanes = V::LANES.min(self.count - column);
                    let sum = V::load(self.room[2].as_ptr().add(number * wide + column));
                    let gate = silu(load_first::<V>(self.call.z.as_ptr().add(row + column), lanes));
                    store_first(sum.mul(gate), self.out.pointer(row + column), lanes);
                }
            }
        }
    }

    /// All steps of a channel, whose states are the lanes.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn by_lanes<V: Vector>(&mut self, wide: usize, channel: usize) {
        let ScanSize { seq, channels, state, .. } = self.call.size;
        let of_channel = self.first + channel;
        let start = (self.sequence * channels + of_channel) * state;
        for one in (0..state).step_by(V::LANES) {
            let lanes = V::LANES.min(state - one);
            // SAFETY: as promised; what is read lies within inputs whose lengths were checked.
            unsafe {
                let a_log = load_first::<V>(self.call.a_log.as_ptr().add(of_channel * state + one), lanes);
                let a = exp(a_log).mul(V::splat(-LOG2_E));
                let mut h = load_first::<V>(self.call.start.as_ptr().add(start + one), lanes);
                for step in 0..seq {
                    let (at, row) = (step * wide + channel, (self.sequence * seq + step) * state + one);
                    let b = load_first::<V>(self.call.b.as_ptr().add(row), lanes);
                    let c = load_first::<V>(self.call.c.as_ptr().add(row), lanes);
                    let decay = V::splat(self.room[0][at]).mul(a).exp2();
                    h = decay.mul_add(h, V::splat(self.room[1][at]).mul(b));
                    self.room[2][at] += sum_first(h.mul(c), lanes);
                }
                store_first(h, self.end[channel * state + one..].as_mut_ptr(), lanes);
            }
        }
    }

    /// A log₂ e and the first states, with channels as lanes.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn gather<V: Vector>(&mut self) {
        let ScanSize { channels, state, .. } = self.call.size;
        let [_, _, _, rates, states] = &mut self.room;
        let (a_log, start) =
            (&self.call.a_log[self.first * state..], &self.call.start[self.sequence * channels * state..]);
        let start = &start[self.first * state..];
        let length = self.count.next_multiple_of(V::LANES) * state;
        rates[..length].fill(0.0);
        states[..length].fill(0.0);
        for channel in 0..self.count {
            for one in 0..state {
                let at = (channel / V::LANES * state + one) * V::LANES + channel % V::LANES;
                (rates[at], states[at]) = (a_log[channel * state + one], start[channel * state + one]);
            }
        }
        for rates in rates[..length].chunks_exact_mut(V::LANES) {
            // SAFETY: as promised; a chunk is a register.
            unsafe { exp(V::load(rates.as_ptr())).mul(V::splat(-LOG2_E)).store(rates.as_mut_ptr()) }
        }
    }

    /// The last states, as they lie in memory.
    fn scatter(&mut self, lanes: usize) {
        let (state, states) = (self.call.size.state, &self.room[4]);
        for (channel, end) in self.end.chunks_exact_mut(state.max(1)).enumerate() {
            for (one, end) in end.iter_mut().enumerate() {
                *end = states[(channel / lanes * state + one) * lanes + channel % lanes];
            }
        }
    }

    /// `N` states of a register of channels, from `one` on, over a chunk.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set; there are so many states and channels.
    #[inline(always)]
    unsafe fn advance<V: Vector, const N: usize>(
        &mut self,
        wide: usize,
        register: usize,
        one: usize,
        step: usize,
        steps: usize,
    ) {
        let (seq, state) = (self.call.size.seq, self.call.size.state);
        let [delta, scaled, sums, rates, states] = &mut self.room;
        let at = (register * state + one) * V::LANES;
        assert!(rates.len() >= at + N * V::LANES && states.len() >= at + N * V::LANES);
        let row = (self.sequence * seq + step) * state + one;
        // SAFETY: as promised; what is read lies within inputs whose lengths were checked, and within the room.
        unsafe {
            let (rates, states) = (rates.as_ptr().add(at), states.as_mut_ptr().add(at));
            let (mut a, mut h) = ([V::splat(0.0); N], [V::splat(0.0); N]);
            for (n, (a, h)) in a.iter_mut().zip(&mut h).enumerate() {
                *a = V::load(rates.add(n * V::LANES));
                *h = V::load(states.add(n * V::LANES));
            }
            for number in 0..steps {
                let (at, row) = (number * wide + register * V::LANES, row + number * state);
                let (b, c) = (self.call.b.as_ptr().add(row), self.call.c.as_ptr().add(row));
                let (delta, scaled) = (V::load(delta.as_ptr().add(at)), V::load(scaled.as_ptr().add(at)));
                let mut sum = V::load(sums.as_ptr().add(at));
                for (n, (a, h)) in a.iter().zip(&mut h).enumerate() {
                    *h = delta.mul(*a).exp2().mul_add(*h, scaled.mul(V::splat(*b.add(n))));
                    sum = h.mul_add(V::splat(*c.add(n)), sum);
                }
                sum.store(sums.as_mut_ptr().add(at));
            }
            for (n, h) in h.into_iter().enumerate() {
                h.store(states.add(n * V::LANES));
            }
        }
    }
}
