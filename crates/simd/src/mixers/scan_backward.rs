//! The gradients of the selective scan of Mamba.
#![expect(unsafe_code, reason = "tasks write columns of the results, which do not lie together")]

use std::f32::consts::LOG2_E;

use super::scan::{ScanSize, SelectiveScan};
use crate::error::{Error, Result, expect_len};
use crate::isa::with_isa;
use crate::math::{exp, load_first, sigmoid, silu, softplus, store_first, sum_first};
use crate::memory::{LINE, Pieces, scratch};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// Channels that are computed together: numbers of a cache line.
const GROUP: usize = LINE;

/// Parts of all channels, each with gradients of B and C of its own, which are added up in their order: so that these do not depend
/// on how many threads there are.
const PARTS: usize = 16;

/// Steps from one state that is kept to the next; those between are computed again.
const STEPS: usize = 64;

/// Room for the gradients of a scan's inputs, each in the shape of its input.
#[derive(Debug)]
pub struct ScanGradients<'a> {
    /// `[batch, seq, channels]`
    pub x: &'a mut [f32],
    /// `[batch, seq, channels]`
    pub delta: &'a mut [f32],
    /// `[batch, seq, channels]`
    pub z: &'a mut [f32],
    /// `[batch, seq, state]`
    pub b: &'a mut [f32],
    /// `[batch, seq, state]`
    pub c: &'a mut [f32],
    /// `[channels, state]`
    pub a_log: &'a mut [f32],
    /// `[channels]`
    pub delta_bias: &'a mut [f32],
    /// `[channels]`
    pub d: &'a mut [f32],
    /// `[batch, channels, state]`
    pub start: &'a mut [f32],
}

impl ScanGradients<'_> {
    fn check(&self, size: &ScanSize) -> Result<()> {
        let ScanSize { batch, seq, channels, state } = *size;
        for (name, numbers) in [("x", &*self.x), ("delta", &*self.delta), ("z", &*self.z)] {
            expect_len(name, &[batch, seq, channels], numbers.len())?;
        }
        for (name, numbers) in [("b", &*self.b), ("c", &*self.c)] {
            expect_len(name, &[batch, seq, state], numbers.len())?;
        }
        for (name, numbers) in [("delta_bias", &*self.delta_bias), ("d", &*self.d)] {
            expect_len(name, &[channels], numbers.len())?;
        }
        expect_len("a_log", &[channels, state], self.a_log.len())?;
        expect_len("start", &[batch, channels, state], self.start.len())
    }
}

/// The gradients of a scan's inputs, where `grad` `[batch, seq, channels]` is that of its result, by reverse mode (Gu & Dao,
/// arXiv 2312.00752, appendix D: states are not kept, but for one in 64 steps, and computed again). States are the lanes of a
/// register. Nothing is allocated once every thread has its scratch, and results are the same on any number of threads.
///
/// # Errors
/// Slices of the wrong length, states of no numbers, an instruction set that is absent.
pub fn selective_scan_backward(call: &SelectiveScan, grad: &[f32], gradients: ScanGradients) -> Result<()> {
    call.check()?;
    let ScanSize { batch, seq, channels, state } = call.size;
    if state == 0 {
        return Err(Error::Shape("a state of 0 numbers has no gradients: give 1 at least".into()));
    }
    expect_len("the gradient of the result", &[batch, seq, channels], grad.len())?;
    gradients.check(&call.size)?;
    with_isa!(call.isa, |tools| run(&tools, call, grad, gradients));
    Ok(())
}

/// What tasks write: columns of rows, or what is theirs alone.
struct Outs<'a> {
    x: Pieces<'a>,
    delta: Pieces<'a>,
    z: Pieces<'a>,
    a_log: Pieces<'a>,
    delta_bias: Pieces<'a>,
    d: Pieces<'a>,
    start: Pieces<'a>,
}

fn run<T: Tools + Sync>(tools: &T, call: &SelectiveScan, grad: &[f32], to: ScanGradients) {
    let ScanSize { batch, seq, channels, state } = call.size;
    for sums in [&mut *to.b, &mut *to.c, &mut *to.a_log, &mut *to.delta_bias, &mut *to.d, &mut *to.start] {
        sums.fill(0.0);
    }
    let (groups, numbers) = (channels.div_ceil(GROUP), batch * seq * state);
    let parts = groups.min(PARTS);
    if grad.is_empty() {
        return;
    }
    let outs = Outs {
        x: Pieces::new(to.x),
        delta: Pieces::new(to.delta),
        z: Pieces::new(to.z),
        a_log: Pieces::new(to.a_log),
        delta_bias: Pieces::new(to.delta_bias),
        d: Pieces::new(to.d),
        start: Pieces::new(to.start),
    };
    scratch([parts * numbers, parts * numbers], |[of_b, of_c]| {
        of_b.fill(0.0);
        of_c.fill(0.0);
        let own = of_b.chunks_exact_mut(numbers).zip(of_c.chunks_exact_mut(numbers));
        parallel_for(own.enumerate(), |(part, (of_b, of_c))| {
            for group in part * groups / parts..(part + 1) * groups / parts {
                let first = group * GROUP;
                let count = GROUP.min(channels - first);
                let wide = seq * GROUP;
                let rooms = [wide, wide, wide, wide, wide, seq.div_ceil(STEPS) * LINE, STEPS * LINE];
                scratch(rooms, |room| {
                    tools.run(Group {
                        call,
                        grad,
                        first,
                        count,
                        outs: &outs,
                        of_b: &mut *of_b,
                        of_c: &mut *of_c,
                        room,
                    });
                });
            }
        });
        for (to, parts) in [(to.b, &*of_b), (to.c, &*of_c)] {
            for part in parts.chunks_exact(numbers) {
                to.iter_mut().zip(part).for_each(|(to, part)| *to += part);
            }
        }
    });
}

/// The first `lanes` numbers from `at` on, and 0 in all other lanes.
///
/// # Safety
/// The CPU has `V`'s instruction set; so many numbers are there.
#[inline(always)]
unsafe fn load<V: Vector>(from: &[f32], at: usize, lanes: usize) -> V {
    // SAFETY: as promised.
    unsafe { load_first(from.as_ptr().add(at), lanes) }
}

/// States after a step of Δ and Δ x, where `log` are rates times log₂ e.
///
/// # Safety
/// The CPU has `V`'s instruction set.
#[inline(always)]
unsafe fn forward<V: Vector>(h: V, [delta, added]: [f32; 2], log: V, b: V) -> V {
    // SAFETY: as promised.
    unsafe { V::splat(delta).mul(log).exp2().mul_add(h, V::splat(added).mul(b)) }
}

/// Some channels, of all sequences.
struct Group<'a> {
    call: &'a SelectiveScan<'a>,
    grad: &'a [f32],
    first: usize,
    count: usize,
    outs: &'a Outs<'a>,
    /// `[batch, seq, state]`, of the channels so far
    of_b: &'a mut [f32],
    of_c: &'a mut [f32],
    /// `[seq, GROUP]` each: Δ, the gradient of what is gated, what is gated, and the gradients of Δ and of x. Then states at the
    /// beginning of chunks, and those of a chunk.
    room: [&'a mut [f32]; 7],
}

impl Kernel for Group<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(mut self) {
        let ScanSize { batch, state, .. } = self.call.size;
        for sequence in 0..batch {
            // SAFETY: the CPU has the instruction set, as promised; lengths were checked by the caller, and channels are apart.
            unsafe {
                self.prepare::<V>(sequence);
                for channel in 0..self.count {
                    for one in (0..state).step_by(V::LANES) {
                        self.states::<V>(sequence, channel, one);
                    }
                }
                self.finish::<V>(sequence);
            }
        }
    }
}

impl Group<'_> {
    /// Where the channels of a step begin.
    fn row(&self, sequence: usize, step: usize) -> usize {
        (sequence * self.call.size.seq + step) * self.call.size.channels + self.first
    }

    /// Δ, and what does not go through the state.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set; lengths are those of the call.
    #[inline(always)]
    unsafe fn prepare<V: Vector>(&mut self, sequence: usize) {
        let call = self.call;
        for step in 0..call.size.seq {
            let row = self.row(sequence, step);
            for column in (0..self.count).step_by(V::LANES) {
                let (lanes, at) = (V::LANES.min(self.count - column), step * GROUP + column);
                // SAFETY: as promised; a register that begins within a group ends within it.
                unsafe {
                    let (x, skip) =
                        (load::<V>(call.x, row + column, lanes), load::<V>(call.d, self.first + column, lanes));
                    let bias = load::<V>(call.delta_bias, self.first + column, lanes);
                    let delta = softplus(load::<V>(call.delta, row + column, lanes).add(bias));
                    let slope =
                        load::<V>(self.grad, row + column, lanes).mul(silu(load::<V>(call.z, row + column, lanes)));
                    let d = self.outs.d.pointer(self.first + column);
                    store_first(slope.mul_add(x, load_first(d, lanes)), d, lanes);
                    let zero = V::splat(0.0);
                    let numbers = [delta, slope, skip.mul(x), zero, skip.mul(slope)];
                    for (room, numbers) in self.room.iter_mut().zip(numbers) {
                        store_first(numbers, room.as_mut_ptr().add(at), lanes);
                    }
                }
            }
        }
    }

    /// Some states of a channel, forward and then back.
    ///
    /// # Safety
    /// As of [`Self::prepare`].
    #[inline(always)]
    unsafe fn states<V: Vector>(&mut self, sequence: usize, channel: usize, one: usize) {
        let (call, of_channel) = (self.call, self.first + channel);
        let ScanSize { seq, channels, state, .. } = call.size;
        let lanes = V::LANES.min(state - one);
        let start = (sequence * channels + of_channel) * state + one;
        let (rates, first_row) = (of_channel * state + one, self.row(sequence, 0) + channel);
        let [delta, slope, sums, of_delta, of_x, kept, within] = &mut self.room;
        let shared = |step: usize| (sequence * seq + step) * state + one;
        // SAFETY: as promised; lanes of states that there are not are 0, and stay so.
        unsafe {
            let rate = V::splat(0.0).sub(exp(load::<V>(call.a_log, rates, lanes)));
            let log = rate.mul(V::splat(LOG2_E));
            let mut h = load::<V>(call.start, start, lanes);
            for (chunk, first) in (0..seq).step_by(STEPS).enumerate() {
                h.store(kept[chunk * LINE..].as_mut_ptr());
                for step in first..seq.min(first + STEPS) {
                    let (delta, x) = (delta[step * GROUP + channel], call.x[first_row + step * channels]);
                    h = forward(h, [delta, delta * x], log, load::<V>(call.b, shared(step), lanes));
                }
            }
            let (mut later, mut of_rate) = (V::splat(0.0), V::splat(0.0));
            for (chunk, first) in (0..seq).step_by(STEPS).enumerate().rev() {
                let end = seq.min(first + STEPS);
                h = V::load(kept[chunk * LINE..].as_ptr());
                for step in first..end {
                    h.store(within[(step - first) * LINE..].as_mut_ptr());
                    let (delta, x) = (delta[step * GROUP + channel], call.x[first_row + step * channels]);
                    h = forward(h, [delta, delta * x], log, load::<V>(call.b, shared(step), lanes));
                }
                for step in (first..end).rev() {
                    let (at, row) = (step * GROUP + channel, shared(step));
                    let (b, c) = (load::<V>(call.b, row, lanes), load::<V>(call.c, row, lanes));
                    let (width, x) = (V::splat(delta[at]), call.x[first_row + step * channels]);
                    let before = V::load(within[(step - first) * LINE..].as_ptr());
                    let decay = width.mul(log).exp2();
                    sums[at] += sum_first(h.mul(c), lanes);
                    let own = V::splat(slope[at]);
                    let of_c = self.of_c.as_mut_ptr().add(row);
                    store_first(own.mul_add(h, load_first(of_c, lanes)), of_c, lanes);
                    let of_state = own.mul_add(c, later);
                    let of_b = self.of_b.as_mut_ptr().add(row);
                    store_first(V::splat(delta[at] * x).mul_add(of_state, load_first(of_b, lanes)), of_b, lanes);
                    let of_decay = of_state.mul(before).mul(decay);
                    let of_added = sum_first(of_state.mul(b), lanes);
                    of_delta[at] += sum_first(of_decay.mul(rate), lanes) + of_added * x;
                    of_x[at] += of_added * delta[at];
                    of_rate = width.mul_add(of_decay, of_rate);
                    (later, h) = (of_state.mul(decay), before);
                }
            }
            store_first(later, self.outs.start.pointer(start), lanes);
            let a_log = self.outs.a_log.pointer(rates);
            store_first(of_rate.mul_add(rate, load_first(a_log, lanes)), a_log, lanes);
        }
    }

    /// Through the gate and the softplus, into the results.
    ///
    /// # Safety
    /// As of [`Self::prepare`].
    #[inline(always)]
    unsafe fn finish<V: Vector>(&mut self, sequence: usize) {
        let call = self.call;
        for step in 0..call.size.seq {
            let row = self.row(sequence, step);
            for column in (0..self.count).step_by(V::LANES) {
                let (lanes, at) = (V::LANES.min(self.count - column), step * GROUP + column);
                // SAFETY: as promised; these channels of the results are this task's alone.
                unsafe {
                    let (z, bias) = (
                        load::<V>(call.z, row + column, lanes),
                        load::<V>(call.delta_bias, self.first + column, lanes),
                    );
                    let (one, share) = (V::splat(1.0), sigmoid(z));
                    // The slope of z / (1 + e^−z).
                    let gate = share.mul(z.mul_add(one.sub(share), one));
                    let of_z =
                        load::<V>(self.grad, row + column, lanes).mul(load::<V>(self.room[2], at, lanes)).mul(gate);
                    let of_delta = load::<V>(self.room[3], at, lanes)
                        .mul(sigmoid(load::<V>(call.delta, row + column, lanes).add(bias)));
                    let of_bias = self.outs.delta_bias.pointer(self.first + column);
                    store_first(of_delta.add(load_first(of_bias, lanes)), of_bias, lanes);
                    store_first(of_z, self.outs.z.pointer(row + column), lanes);
                    store_first(of_delta, self.outs.delta.pointer(row + column), lanes);
                    store_first(load::<V>(self.room[4], at, lanes), self.outs.x.pointer(row + column), lanes);
                }
            }
        }
    }
}
