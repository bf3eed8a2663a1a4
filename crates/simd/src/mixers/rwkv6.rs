//! The recurrence of RWKV-6, whose decay depends on the input.
#![expect(unsafe_code, reason = "pointers: bounds are checked once per chunk; tasks write results of their own head")]

use std::ops::Range;

use super::panels;
use crate::error::{Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{exp, load_first, store_first, sum_first};
use crate::memory::{LINE, Pieces, Soon, scratch};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::{Sums, Vector, zero};

/// Steps of a chunk, over which rows of the state stay in registers.
pub const STEPS: usize = 32;

/// Sizes of the recurrences of RWKV-6 and RWKV-7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RwkvSize {
    /// Sequences.
    pub batch: usize,
    /// Steps of a sequence.
    pub seq: usize,
    /// Heads, each with a square state.
    pub heads: usize,
    /// Numbers of a receptance, key or value of a head.
    pub head_dim: usize,
}

impl RwkvSize {
    /// The shape of what there is for each step.
    pub fn steps(&self) -> [usize; 4] {
        [self.batch, self.seq, self.heads, self.head_dim]
    }

    /// The shape of states.
    pub fn states(&self) -> [usize; 4] {
        [self.batch, self.heads, self.head_dim, self.head_dim]
    }

    /// Where a head of a step begins.
    pub(super) fn at(&self, sequence: usize, step: usize, head: usize) -> usize {
        ((sequence * self.seq + step) * self.heads + head) * self.head_dim
    }

    /// Where a head's state lies.
    pub(super) fn state(&self, index: usize) -> Range<usize> {
        let numbers = self.head_dim * self.head_dim;
        index * numbers..(index + 1) * numbers
    }

    /// Puts sums of steps from `first` on, `wide` numbers apart, into the result of a head of a sequence.
    ///
    /// # Safety
    /// Nobody else has a piece of this head's part of the result.
    pub(super) unsafe fn finish(&self, [sequence, head, first]: [usize; 3], sums: &[f32], wide: usize, out: &Pieces) {
        for (step, sums) in sums.chunks_exact(wide).enumerate() {
            let at = self.at(sequence, first + step, head);
            // SAFETY: as promised.
            unsafe { out.piece(at..at + self.head_dim) }.copy_from_slice(&sums[..self.head_dim]);
        }
    }
}

/// What goes through the recurrence (Peng et al., arXiv 2404.05892, section 4.2): with the decay d = exp(−exp(`w`)) of each key,
/// y = r (S + diag(u) k ⊗ v), S ← diag(d) S + k ⊗ v.
#[derive(Debug, Clone, Copy)]
pub struct Rwkv6<'a> {
    /// Sizes of all that follows.
    pub size: RwkvSize,
    /// `[batch, seq, heads, head_dim]`, receptance
    pub r: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, keys
    pub k: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, values
    pub v: &'a [f32],
    /// `[batch, seq, heads, head_dim]`, of which the decay is made
    pub w: &'a [f32],
    /// `[heads, head_dim]`, the bonus of a step's own key
    pub u: &'a [f32],
    /// `[batch, heads, head_dim, head_dim]`, before the first step, a row for each key
    pub start: &'a [f32],
    /// Instructions to use.
    pub isa: Isa,
}

/// The recurrence into `out` `[batch, seq, heads, head_dim]`, and the state after the last step into `end`
/// `[batch, heads, head_dim, head_dim]`: rows of the state stay in registers over a chunk of steps. Nothing is allocated once
/// every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn rwkv6(call: &Rwkv6, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    let Rwkv6 { size, r, k, v, w, u, start, isa } = *call;
    for (name, numbers) in [("r", r), ("k", k), ("v", v), ("w", w), ("the result", &*out)] {
        expect_len(name, &size.steps(), numbers.len())?;
    }
    expect_len("u", &[size.heads, size.head_dim], u.len())?;
    for (name, numbers) in [("the first state", start), ("the last state", &*end)] {
        expect_len(name, &size.states(), numbers.len())?;
    }
    with_isa!(isa, |tools| run(&tools, call, out, end));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &Rwkv6, out: &mut [f32], end: &mut [f32]) {
    let RwkvSize { batch, seq, heads, head_dim } = call.size;
    if seq == 0 || head_dim == 0 {
        return end.copy_from_slice(call.start);
    }
    let wide = head_dim.next_multiple_of(2 * T::LANES);
    let (steps, state) = (seq.min(STEPS), if seq > 1 { head_dim * wide } else { 0 });
    let (out, end) = (Pieces::new(out), Pieces::new(end));
    parallel_for(0..batch * heads, |index| {
        // SAFETY: the state of this head is this task's alone.
        let end = unsafe { end.piece(call.size.state(index)) };
        scratch([steps * wide, steps * wide, steps * wide, state], |room| {
            tools.run(Head { call, sequence: index / heads, head: index % heads, wide, out: &out, end, room });
        });
    });
}

/// A head of a sequence.
struct Head<'a> {
    call: &'a Rwkv6<'a>,
    sequence: usize,
    head: usize,
    /// Numbers of a row in the room.
    wide: usize,
    out: &'a Pieces<'a>,
    end: &'a mut [f32],
    /// Decays, values and sums of a chunk, each `[steps, wide]`, and the state, `[panels, head_dim, columns]`.
    room: [&'a mut [f32]; 4],
}

impl Kernel for Head<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(mut self) {
        let (size, wide) = (self.call.size, self.wide);
        let RwkvSize { seq, heads, head_dim, .. } = size;
        let start = &self.call.start[size.state(self.sequence * heads + self.head)];
        // SAFETY: the CPU has the instruction set, as promised; the call's lengths were checked, and the room is large enough; this
        // head's part of the result is this task's alone.
        unsafe {
            if seq == 1 {
                self.prepare::<V>(0, 1);
                self.by_rows::<V>(start);
                return size.finish([self.sequence, self.head, 0], &self.room[2][..wide], wide, self.out);
            }
            panels::from_rows(start, head_dim, 2 * V::LANES, self.room[3]);
            for first in (0..seq).step_by(STEPS) {
                let steps = STEPS.min(seq - first);
                self.prepare::<V>(first, steps);
                for panel in 0..wide / (2 * V::LANES) {
                    let mut row = 0;
                    while row + ROWS <= head_dim {
                        self.advance::<V, ROWS>(panel, row, first, steps);
                        row += ROWS;
                    }
                    while row < head_dim {
                        self.advance::<V, 1>(panel, row, first, steps);
                        row += 1;
                    }
                }
                size.finish([self.sequence, self.head, first], &self.room[2][..steps * wide], wide, self.out);
            }
        }
        panels::to_rows(self.room[3], head_dim, 2 * V::LANES, self.end);
    }
}

impl Head<'_> {
    /// Decays and values of a chunk, and what each step adds of its own value.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn prepare<V: Vector>(&mut self, first: usize, steps: usize) {
        let (call, wide) = (self.call, self.wide);
        let head_dim = call.size.head_dim;
        let u = &call.u[self.head * head_dim..][..head_dim];
        for step in 0..steps {
            let at = call.size.at(self.sequence, first + step, self.head);
            let [r, k, v, w] = [call.r, call.k, call.v, call.w].map(|numbers| &numbers[at..][..head_dim]);
            let [decays, values, sums, _] = &mut self.room;
            let [decays, values, sums] = [decays, values, sums].map(|part| &mut part[step * wide..][..wide]);
            let mut bonus = 0.0;
            // SAFETY: as promised; rows of the room are whole registers, and those of the inputs are looked at as far as they go.
            unsafe {
                for column in (0..wide).step_by(V::LANES) {
                    let lanes = head_dim.saturating_sub(column).min(V::LANES);
                    let load = column.min(head_dim);
                    let decay = exp(V::splat(0.0).sub(exp(load_first::<V>(w[load..].as_ptr(), lanes))));
                    decay.store(decays[column..].as_mut_ptr());
                    load_first::<V>(v[load..].as_ptr(), lanes).store(values[column..].as_mut_ptr());
                    let own = load_first::<V>(r[load..].as_ptr(), lanes).mul(load_first(u[load..].as_ptr(), lanes));
                    bonus += sum_first(own.mul(load_first(k[load..].as_ptr(), lanes)), lanes);
                }
                for column in (0..wide).step_by(V::LANES) {
                    let value = V::load(values[column..].as_ptr());
                    value.mul(V::splat(bonus)).store(sums[column..].as_mut_ptr());
                }
            }
        }
    }

    /// `N` rows of a panel of the state, from `row` on, over a chunk.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set; there are so many rows and panels.
    #[inline(always)]
    unsafe fn advance<V: Vector, const N: usize>(&mut self, panel: usize, row: usize, first: usize, steps: usize) {
        let (call, wide, columns) = (self.call, self.wide, 2 * V::LANES);
        let head_dim = call.size.head_dim;
        let [decays, values, sums, state] = &mut self.room;
        let state = &mut state[(panel * head_dim + row) * columns..][..N * columns];
        assert!(decays.len() >= steps * wide && values.len() >= steps * wide && sums.len() >= steps * wide);
        // SAFETY: as promised; what is read lies within inputs whose lengths were checked, and within the room.
        unsafe {
            let mut rows: Sums<V, N> = zero();
            for (place, row) in rows.iter_mut().enumerate() {
                let from = state.as_ptr().add(place * columns);
                *row = [V::load(from), V::load(from.add(V::LANES))];
            }
            let (start, apart) = (call.size.at(self.sequence, first, self.head), call.size.heads * head_dim);
            let [mut r_at, mut k_at] = [call.r, call.k].map(|numbers| numbers.as_ptr().add(start + row));
            let (mut decay_at, panel_at) = (decays.as_ptr().add(row), panel * columns);
            let (mut value_at, mut to) = (values.as_ptr().add(panel_at), sums.as_mut_ptr().add(panel_at));
            // Of each step of the next chunk the tiles ask for a line each, since memory is asked for few at once.
            let (tile, lines) = (panel * (head_dim / N) + row / N, head_dim.div_ceil(LINE));
            let soon = [call.r, call.k, call.v, call.w][tile / lines % 4].as_ptr();
            let mut soon = soon.wrapping_add(start + STEPS * apart + tile % lines * LINE);
            for _ in 0..steps {
                Soon::at(soon).ask(0);
                let value = [V::load(value_at), V::load(value_at.add(V::LANES))];
                // Two chains, since a sum waits for itself.
                let mut both = [[V::load(to), V::load(to.add(V::LANES))], [V::splat(0.0); 2]];
                for (place, row) in rows.iter_mut().enumerate() {
                    let [r, k, decay] = [r_at, k_at, decay_at].map(|at| V::splat(*at.add(place)));
                    let sum = &mut both[place % 2];
                    *sum = [r.mul_add(row[0], sum[0]), r.mul_add(row[1], sum[1])];
                    *row = [decay.mul_add(row[0], k.mul(value[0])), decay.mul_add(row[1], k.mul(value[1]))];
                }
                both[0][0].add(both[1][0]).store(to);
                both[0][1].add(both[1][1]).store(to.add(V::LANES));
                [r_at, k_at] = [r_at, k_at].map(|at| at.wrapping_add(apart));
                (decay_at, value_at) = (decay_at.wrapping_add(wide), value_at.wrapping_add(wide));
                (to, soon) = (to.wrapping_add(wide), soon.wrapping_add(apart));
            }
            for (place, row) in rows.into_iter().enumerate() {
                let to = state.as_mut_ptr().add(place * columns);
                row[0].store(to);
                row[1].store(to.add(V::LANES));
            }
        }
    }

    /// The only step, with the state where it lies.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn by_rows<V: Vector>(&mut self, start: &[f32]) {
        let call = self.call;
        let (head_dim, at) = (call.size.head_dim, call.size.at(self.sequence, 0, self.head));
        let [decays, values, sums, _] = &mut self.room;
        let rows = start.chunks_exact(head_dim).zip(self.end.chunks_exact_mut(head_dim));
        for (key, (start, end)) in rows.enumerate() {
            // SAFETY: as promised; rows of the room are whole registers, and those of the state are looked at as far as they go.
            unsafe {
                let (r, k, decay) = (V::splat(call.r[at + key]), V::splat(call.k[at + key]), V::splat(decays[key]));
                for column in (0..head_dim).step_by(V::LANES) {
                    let lanes = V::LANES.min(head_dim - column);
                    let (value, to) = (V::load(values[column..].as_ptr()), sums[column..].as_mut_ptr());
                    let state = load_first::<V>(start[column..].as_ptr(), lanes);
                    r.mul_add(state, V::load(to.cast_const())).store(to);
                    store_first(decay.mul_add(state, k.mul(value)), end[column..].as_mut_ptr(), lanes);
                }
            }
        }
    }
}
