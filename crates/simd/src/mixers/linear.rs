//! Linear attention whose state loses the same share of all its numbers in a step: the recurrence of Mamba-2 and RetNet, in
//! chunks and one step at a time.
#![expect(unsafe_code, reason = "tasks write columns of the result, which do not lie together")]

use std::f64::consts::LOG2_E;
use std::ops::Range;

use super::chunk::{self, Parts, Sizes, Target};
use super::panels;
use super::step::Step;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::math::{load_first, softplus, store_first};
use crate::memory::{Pieces, scratch};
use crate::team::parallel_for;
use crate::tools::{self as isa, Kernel, Tools};
use crate::vector::Vector;

/// log₂ of what is left after a step at least: 2 to this power is 0 in `f32`, and sums of it stay finite.
const LEAST: f64 = -1024.0;

/// Tasks of a thread, so that a late one does not hold up the rest for long.
const SHARES: usize = 2;

/// Sizes of a recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearSize {
    /// Sequences.
    pub batch: usize,
    /// Steps of a sequence.
    pub seq: usize,
    /// Heads, each with a state of its own.
    pub heads: usize,
    /// Queries and keys of a step, each shared by `heads / groups` heads.
    pub groups: usize,
    /// Numbers of a query or key.
    pub key_dim: usize,
    /// Numbers of a value.
    pub value_dim: usize,
}

/// What a step leaves of the state, and how much of its own value it adds.
#[derive(Clone, Copy)]
pub enum Decay<'a> {
    /// Δ = softplus(`delta` + `bias`): exp(−Δ exp(`a_log`)) is left, Δ of the value is added to the state, and `skip` of it to the
    /// result.
    Selective {
        /// `[batch, seq, heads]`
        delta: &'a [f32],
        /// `[heads]`
        bias: &'a [f32],
        /// `[heads]`
        a_log: &'a [f32],
        /// `[heads]`
        skip: &'a [f32],
    },
    /// Always the same: this share, by heads, is left, and `scale` of the value is added.
    Fixed {
        /// `[heads]`
        left: &'a [f64],
        /// Factor of values.
        scale: f32,
    },
}

/// Queries, keys, values and decay of a recurrence: S ← left · S + scale · value ⊗ key, result = S query.
#[derive(Clone, Copy)]
pub struct Linear<'a> {
    pub size: LinearSize,
    /// `[batch, seq, groups, key_dim]`
    pub query: &'a [f32],
    /// `[batch, seq, groups, key_dim]`
    pub key: &'a [f32],
    /// `[batch, seq, heads, value_dim]`
    pub value: &'a [f32],
    pub decay: Decay<'a>,
    /// The first states, as `keys_last` says.
    pub start: &'a [f32],
    /// Whether states are `[batch, heads, value_dim, key_dim]`, or else `[batch, heads, key_dim, value_dim]`.
    pub keys_last: bool,
    /// Steps of a chunk.
    pub chunk: usize,
    pub isa: Isa,
}

impl Linear<'_> {
    fn check(&self, out: &[f32], end: &[f32]) -> Result<()> {
        let LinearSize { batch, seq, heads, groups, key_dim, value_dim } = self.size;
        if groups == 0 || !heads.is_multiple_of(groups) {
            return Err(Error::Shape(format!("{heads} heads cannot share {groups} groups of keys evenly")));
        }
        if self.chunk == 0 || key_dim == 0 || value_dim == 0 {
            let sizes = format!("chunk {}, key_dim {key_dim}, value_dim {value_dim}", self.chunk);
            return Err(Error::Shape(format!("{sizes}: give 1 at least of each")));
        }
        for (name, numbers) in [("query", self.query), ("key", self.key)] {
            expect_len(name, &[batch, seq, groups, key_dim], numbers.len())?;
        }
        for (name, numbers) in [("value", self.value), ("the result", out)] {
            expect_len(name, &[batch, seq, heads, value_dim], numbers.len())?;
        }
        for (name, numbers) in [("the first state", self.start), ("the last state", end)] {
            expect_len(name, &[batch, heads, key_dim, value_dim], numbers.len())?;
        }
        match self.decay {
            Decay::Fixed { left, .. } => expect_len("decay", &[heads], left.len()),
            Decay::Selective { delta, bias, a_log, skip } => {
                for (name, numbers) in [("delta_bias", bias), ("a_log", a_log), ("d", skip)] {
                    expect_len(name, &[heads], numbers.len())?;
                }
                expect_len("delta", &[batch, seq, heads], delta.len())
            }
        }
    }

    /// Where the query and the key of a step begin.
    pub fn key_at(&self, sequence: usize, step: usize, group: usize) -> usize {
        ((sequence * self.size.seq + step) * self.size.groups + group) * self.size.key_dim
    }

    /// Where the value of a step begins.
    pub fn value_at(&self, sequence: usize, step: usize, head: usize) -> usize {
        ((sequence * self.size.seq + step) * self.size.heads + head) * self.size.value_dim
    }

    /// log₂ of what a step leaves of the state of a head, for each unit of what it adds, or whatever it adds.
    pub fn rate(&self, head: usize) -> f64 {
        match self.decay {
            Decay::Selective { a_log, .. } => -f64::from(a_log[head]).exp() * LOG2_E,
            Decay::Fixed { left, .. } => left[head].log2(),
        }
    }

    /// The share of values that each of `shares.len()` steps from `first` on adds.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    pub unsafe fn shares<V: Vector>(&self, sequence: usize, first: usize, head: usize, shares: &mut [f32]) {
        let LinearSize { seq, heads, .. } = self.size;
        match self.decay {
            Decay::Fixed { scale, .. } => shares.fill(scale),
            Decay::Selective { delta, bias, .. } => {
                for (step, share) in shares.iter_mut().enumerate() {
                    *share = delta[(sequence * seq + first + step) * heads + head] + bias[head];
                }
                for shares in shares.chunks_mut(V::LANES) {
                    let (to, lanes) = (shares.as_mut_ptr(), shares.len());
                    // SAFETY: as promised; there are so many numbers.
                    unsafe { store_first(softplus(load_first::<V>(to.cast_const(), lanes)), to, lanes) }
                }
            }
        }
    }

    /// log₂ of what a step leaves that adds this share.
    pub fn log(&self, rate: f64, share: f32) -> f64 {
        let log = if let Decay::Selective { .. } = self.decay { rate * f64::from(share) } else { rate };
        // Not `max`, which would lose what is no number.
        if log < LEAST { LEAST } else { log }
    }

    /// The factor of values in results of their own step.
    pub fn skip(&self, head: usize) -> Option<f32> {
        if let Decay::Selective { skip, .. } = self.decay { Some(skip[head]) } else { None }
    }
}

/// The recurrence into `out` `[batch, seq, heads, value_dim]`, and the state after the last step into `end`.
///
/// # Errors
/// Slices of the wrong length, sizes that do not go together, an instruction set that is absent.
pub fn linear(call: &Linear, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    call.check(out, end)?;
    with_isa!(call.isa, |tools| run(&tools, call, out, end));
    Ok(())
}

fn run<T: Tools + Sync>(tools: &T, call: &Linear, out: &mut [f32], end: &mut [f32]) {
    let LinearSize { batch, seq, heads, groups, key_dim, value_dim } = call.size;
    let (out, end) = (Pieces::new(out), Pieces::new(end));
    match seq {
        // SAFETY: nobody else has a piece of it.
        0 => unsafe { end.piece(0..call.start.len()) }.copy_from_slice(call.start),
        1 => parallel_for(0..batch * heads, |index| {
            tools.run(Step { call, sequence: index / heads, head: index % heads, out: &out, end: &end });
        }),
        _ => {
            let threads = rayon::current_num_threads();
            let wanted = if threads == 1 { 1 } else { (SHARES * threads).div_ceil((batch * groups).max(1)) };
            let each = (heads / groups).div_ceil(wanted).max(1);
            let across = (heads / groups).div_ceil(each);
            let sizes = Sizes { chunk: call.chunk.min(seq), keys: key_dim, values: value_dim, lanes: T::LANES };
            let square = sizes.chunk * sizes.padded();
            let values = sizes.panels() * sizes.chunk * sizes.columns();
            let lengths = [
                sizes.chunk * key_dim,
                key_dim * sizes.padded(),
                square,
                square,
                values,
                each * sizes.state(),
                4 * sizes.padded(),
            ];
            parallel_for(0..batch * groups * across, |task| {
                let (sequence, group) = (task / across / groups, task / across % groups);
                let first = task % across * each;
                let of_group = group * (heads / groups);
                let heads = of_group + first..of_group + (heads / groups).min(first + each);
                scratch(lengths, |room| {
                    tools.run(Share { call, sizes, sequence, group, heads, out: &out, end: &end, room });
                });
            });
        }
    }
}

/// Heads of a group that a task takes through a whole sequence.
struct Share<'a> {
    call: &'a Linear<'a>,
    sizes: Sizes,
    sequence: usize,
    group: usize,
    heads: Range<usize>,
    out: &'a Pieces<'a>,
    end: &'a Pieces<'a>,
    /// Queries, keys by columns, scores, weights, values, the states of all heads, and logarithms, what rounding has left out of
    /// them, their powers, and shares.
    room: [&'a mut [f32]; 7],
}

impl Kernel for Share<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const STATES: usize>(mut self) {
        let (sizes, seq) = (self.sizes, self.call.size.seq);
        assert!(sizes.lanes == V::LANES);
        self.states(true);
        for first in (0..seq).step_by(sizes.chunk) {
            let steps = sizes.chunk.min(seq - first);
            self.keys(first, steps);
            // SAFETY: as promised; the room holds all parts, in their sizes, and the rows of these heads are this task's alone.
            unsafe {
                chunk::scores::<V, ROWS>(&sizes, steps, self.parts(0));
                for place in 0..self.heads.len() {
                    self.fill::<V>(first, steps, place);
                    chunk::head::<V, ROWS>(&sizes, steps, self.parts(place), self.target(first, place));
                }
            }
        }
        self.states(false);
    }
}

impl Share<'_> {
    /// Takes the states of all heads from where they are given, or puts them where they are asked for.
    fn states(&mut self, given: bool) {
        let (LinearSize { heads, key_dim, value_dim, .. }, sizes) = (self.call.size, self.sizes);
        for (place, head) in self.heads.clone().enumerate() {
            let at = (self.sequence * heads + head) * key_dim * value_dim;
            let state = &mut self.room[5][place * sizes.state()..][..sizes.state()];
            let (rows, columns) = (sizes.keys, sizes.columns());
            if given {
                let from = &self.call.start[at..][..key_dim * value_dim];
                if self.call.keys_last {
                    panels::from_columns(from, rows, columns, state);
                } else {
                    panels::from_rows(from, value_dim, columns, state);
                }
            } else {
                // SAFETY: the state of this head is this task's alone.
                let to = unsafe { self.end.piece(at..at + key_dim * value_dim) };
                if self.call.keys_last {
                    panels::to_columns(state, rows, columns, to);
                } else {
                    panels::to_rows(state, value_dim, columns, to);
                }
            }
        }
    }

    /// Queries and keys of a chunk.
    fn keys(&mut self, first: usize, steps: usize) {
        let (keys, padded) = (self.sizes.keys, self.sizes.padded());
        let [query, key, ..] = &mut self.room;
        for step in 0..steps {
            let at = self.call.key_at(self.sequence, first + step, self.group);
            query[step * keys..][..keys].copy_from_slice(&self.call.query[at..][..keys]);
            for (one, number) in self.call.key[at..][..keys].iter().enumerate() {
                key[one * padded + step] = *number;
            }
        }
    }

    /// Values and logarithms of a chunk, of one head.
    ///
    /// # Safety
    /// The CPU has `V`'s instruction set.
    #[inline(always)]
    unsafe fn fill<V: Vector>(&mut self, first: usize, steps: usize, place: usize) {
        let (call, sizes, head) = (self.call, self.sizes, self.heads.start + place);
        let [_, _, _, _, values, _, numbers] = &mut self.room;
        let (logs, rest) = numbers.split_at_mut(sizes.padded());
        let (low, rest) = rest.split_at_mut(sizes.padded());
        let (left, shares) = rest.split_at_mut(sizes.padded());
        let shares = &mut shares[..steps];
        // SAFETY: as promised; values of a step lie within the input and the room, in which they have whole panels.
        unsafe {
            call.shares::<V>(self.sequence, first, head, shares);
            let (rate, mut sum) = (call.rate(head), 0.0);
            for (step, share) in shares.iter().enumerate() {
                sum += call.log(rate, *share);
                logs[step] = sum as f32;
                low[step] = (sum - f64::from(logs[step])) as f32;
            }
            for at in (0..steps).step_by(V::LANES) {
                V::load(logs[at..][..V::LANES].as_ptr()).exp2().store(left[at..][..V::LANES].as_mut_ptr());
            }
            let columns = sizes.columns();
            assert!(values.len() >= sizes.panels() * sizes.chunk * columns);
            for (step, share) in shares.iter().enumerate() {
                let from = call.value[call.value_at(self.sequence, first + step, head)..][..sizes.values].as_ptr();
                for column in (0..sizes.panels() * columns).step_by(V::LANES) {
                    let lanes = sizes.values.saturating_sub(column).min(V::LANES);
                    let value = load_first::<V>(from.wrapping_add(column), lanes).mul(V::splat(*share));
                    let at = (column / columns * sizes.chunk + step) * columns + column % columns;
                    value.store(values.as_mut_ptr().add(at));
                }
            }
        }
    }

    /// Where all that lies for one head.
    fn parts(&mut self, place: usize) -> Parts {
        let padded = self.sizes.padded();
        let [query, key, scores, weights, values, states, numbers] = self.room.each_mut().map(|part| part.as_mut_ptr());
        Parts {
            query,
            key,
            scores,
            weights,
            values,
            state: states.wrapping_add(place * self.sizes.state()),
            logs: [numbers.cast_const(), numbers.wrapping_add(padded).cast_const()],
            left: numbers.wrapping_add(2 * padded),
        }
    }

    /// Where results of a head go.
    fn target(&self, first: usize, place: usize) -> Target {
        let (call, head) = (self.call, self.heads.start + place);
        let at = call.value_at(self.sequence, first, head);
        let skip = call.skip(head).map(|factor| (call.value[at..].as_ptr(), factor));
        Target { start: self.out.pointer(at), per_step: call.size.heads * call.size.value_dim, skip }
    }
}
