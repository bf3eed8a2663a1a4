//! Retention: linear attention that forgets at a rate of its head.

use super::linear::{Decay, Linear, LinearSize, linear};
use crate::error::{Error, Result, expect_len};
use crate::isa::Isa;
use crate::memory::scratch;
use crate::team::parallel_for;

/// Sizes of a retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionSize {
    /// Sequences.
    pub batch: usize,
    /// Steps of a sequence.
    pub seq: usize,
    /// Heads, each with a decay and a state `[key_dim, value_dim]`.
    pub heads: usize,
    /// Numbers of a query, and of a key.
    pub key_dim: usize,
    /// Numbers of a value.
    pub value_dim: usize,
}

/// Angles by which queries and keys are turned, of positions one after another. A pair is two numbers side by side, and that of
/// pair `i` of `pairs` turns by 10000^(−i / (pairs − 1)) a position, as in torchscale, which calls it xPos: the decay of xPos
/// (Sun et al., arXiv 2212.10554) is retention's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Turns {
    pairs: usize,
    /// `[positions, pairs]`
    cos: Vec<f32>,
    /// `[positions, pairs]`
    sin: Vec<f32>,
}

impl Turns {
    /// Angles of `positions` positions from `first` on, in `f64` before they are rounded.
    ///
    /// # Errors
    /// An odd `key_dim`.
    pub fn new(first: usize, positions: usize, key_dim: usize) -> Result<Self> {
        if !key_dim.is_multiple_of(2) {
            return Err(Error::Shape(format!("key_dim {key_dim} is odd: numbers are turned in pairs")));
        }
        let pairs = key_dim / 2;
        let angle = |index: usize| {
            let (position, pair) = (first + index / pairs, index % pairs);
            position as f64 * 10_000_f64.powf(-(pair as f64) / (pairs.max(2) - 1) as f64)
        };
        let (cos, sin) =
            (0..positions * pairs).map(|index| (angle(index).cos() as f32, angle(index).sin() as f32)).unzip();
        Ok(Self { pairs, cos, sin })
    }

    /// Turns `from` `[batch, seq, heads, key_dim]` into `to`, of the same shape.
    fn turn(&self, size: &RetentionSize, from: &[f32], to: &mut [f32]) {
        let step = size.heads * size.key_dim;
        parallel_for(to.chunks_mut(step).zip(from.chunks(step)).enumerate(), |(number, (to, from))| {
            let angles = number % size.seq * self.pairs..(number % size.seq + 1) * self.pairs;
            for (to, from) in to.chunks_exact_mut(size.key_dim).zip(from.chunks_exact(size.key_dim)) {
                let angles = self.cos[angles.clone()].iter().zip(&self.sin[angles.clone()]);
                for ((to, from), (cos, sin)) in to.chunks_exact_mut(2).zip(from.chunks_exact(2)).zip(angles) {
                    (to[0], to[1]) = (from[0] * cos - from[1] * sin, from[1] * cos + from[0] * sin);
                }
            }
        });
    }
}

/// Queries, keys and values of a retention (Sun et al., arXiv 2307.08621, section 2.1), without its group norm:
/// S ← `left` · S + key ⊗ value / √key_dim, result = query · S, with queries and keys turned by their positions or not.
#[derive(Debug, Clone, Copy)]
pub struct Retention<'a> {
    /// Sizes of all that follows.
    pub size: RetentionSize,
    /// `[batch, seq, heads, key_dim]`
    pub query: &'a [f32],
    /// `[batch, seq, heads, key_dim]`
    pub key: &'a [f32],
    /// `[batch, seq, heads, value_dim]`
    pub value: &'a [f32],
    /// `[heads]`, the share of its state that a step leaves, from 0 to 1
    pub left: &'a [f64],
    /// `[batch, heads, key_dim, value_dim]`, before the first step
    pub start: &'a [f32],
    /// Angles of all positions, where queries and keys are turned.
    pub turns: Option<&'a Turns>,
    /// Steps of a chunk: all of them for the parallel form; [`CHUNK`](super::CHUNK) is a good one.
    pub chunk: usize,
    /// Instructions to use.
    pub isa: Isa,
}

impl Retention<'_> {
    /// Calls `with` on the same retention, of which queries and keys are turned already.
    ///
    /// # Errors
    /// Angles of other positions or pairs; queries or keys of the wrong length; what `with` says.
    fn turned(&self, with: impl FnOnce(&Retention) -> Result<()>) -> Result<()> {
        let Some(turns) = self.turns else { return with(self) };
        let RetentionSize { batch, seq, heads, key_dim, .. } = self.size;
        if 2 * turns.pairs != key_dim || turns.cos.len() != seq * turns.pairs {
            let (numbers, pairs) = (turns.cos.len(), turns.pairs);
            let message = format!("{numbers} angles of {pairs} pairs do not fit {seq} steps of key_dim {key_dim}");
            return Err(Error::Shape(message));
        }
        for (name, numbers) in [("query", self.query), ("key", self.key)] {
            expect_len(name, &[batch, seq, heads, key_dim], numbers.len())?;
        }
        if self.query.is_empty() {
            return with(self);
        }
        scratch([self.query.len(); 2], |[query, key]| {
            turns.turn(&self.size, self.query, query);
            turns.turn(&self.size, self.key, key);
            with(&Retention { query, key, turns: None, ..*self })
        })
    }
}

/// The retention into `out` `[batch, seq, heads, value_dim]`, and the state after the last step into `end`
/// `[batch, heads, key_dim, value_dim]`, chunk by chunk as [`ssd`](super::ssd()). Nothing is allocated once every thread has its
/// scratch.
///
/// # Errors
/// Slices of the wrong length, angles of other sizes, a size or chunk of 0, an instruction set that is absent.
pub fn retention(call: &Retention, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    call.turned(|call| recur(call, out, end))
}

/// The retention of queries and keys as they are.
fn recur(call: &Retention, out: &mut [f32], end: &mut [f32]) -> Result<()> {
    let Retention { size, query, key, value, left, start, chunk, isa, .. } = *call;
    let RetentionSize { batch, seq, heads, key_dim, value_dim } = size;
    let size = LinearSize { batch, seq, heads, groups: heads.max(1), key_dim, value_dim };
    let decay = Decay::Fixed { left, scale: 1.0 / (key_dim as f32).sqrt() };
    linear(&Linear { size, query, key, value, decay, start, keys_last: false, chunk, isa }, out, end)
}

/// The same from an empty state, in the normalised form of torchscale's parallel forward: decays are divided by the root of their
/// sum over a row, and a row by the absolute sum of its weights where that is above 1. Both are recurrences too, of a number and
/// of a value that is always 1.
///
/// `start` is not looked at.
///
/// # Errors
/// As of [`retention`].
pub fn normalised_retention(call: &Retention, out: &mut [f32]) -> Result<()> {
    let RetentionSize { batch, seq, heads, key_dim, value_dim } = call.size;
    let (rows, states) = (batch * seq * heads, batch * heads * key_dim);
    let lengths = [rows, rows, states * value_dim, states * value_dim];
    scratch(lengths, |[ones, sums, start, end]| {
        start.fill(0.0);
        ones.fill(1.0);
        call.turned(|call| {
            recur(&Retention { start, ..*call }, out, end)?;
            let size = RetentionSize { value_dim: 1, ..call.size };
            recur(&Retention { size, value: ones, start: &start[..states], ..*call }, sums, &mut end[..states])
        })?;
        for (index, row) in out.chunks_exact_mut(value_dim).enumerate() {
            let (step, left) = (index / heads % seq, call.left[index % heads]);
            let decays = if left < 1.0 { (1.0 - left.powi(step as i32 + 1)) / (1.0 - left) } else { step as f64 + 1.0 };
            let sum = f64::from(sums[index]).abs() / decays.sqrt();
            // Not `max`, which would lose what is no number.
            let factor = 1.0 / (decays.sqrt() * if sum < 1.0 { 1.0 } else { sum });
            row.iter_mut().for_each(|number| *number = (f64::from(*number) * factor) as f32);
        }
        Ok(())
    })
}
