//! A whole attention call: every head, every block of queries, on all threads.
#![expect(unsafe_code, reason = "the steps of an instruction set are made where it was detected")]

use super::block::{GROUPS, Head, Steps, attend, lengths};
use super::decode::decode;
use super::isa;
use super::score_mod::{Running, ScoreMod};
use super::{Attend, Cache, Heads};
use crate::error::{Result, expect_len};
use crate::isa::with_isa;
use crate::memory::{Element, scratch};
use crate::team::parallel_for;

/// Up to so many queries, keys are read for one query at a time.
const FEW: usize = 4;

/// softmax(scale · Q Kᵀ) V, without the scores in memory: FlashAttention-2 (Dao, arXiv 2307.08691, algorithm 1) with
/// queries as columns, so that maxima and sums need no shuffles.
///
/// A query that sees no key gets zeros. Nothing is allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, heads that do not divide, a window of 0, an instruction set that is absent.
pub fn attention<T: Element>(call: &Attend<T>, out: &mut [T]) -> Result<()> {
    if call.heads.seq_q <= FEW && call.mask.is_none() {
        return decode(call, &Cache::Contiguous, out);
    }
    forward(call, out, None, None)
}

/// The same, and in `lse` `[batch, heads, seq_q]` what [`super::attention_backward`] needs: log₂ of the sum of 2 to the
/// power of all scores times log₂ e.
///
/// # Errors
/// As of [`attention`].
pub fn attention_with_sums<T: Element>(call: &Attend<T>, out: &mut [T], lse: &mut [f32]) -> Result<()> {
    expect_len("the sums", &[call.heads.batch, call.heads.heads, call.heads.seq_q], lse.len())?;
    forward(call, out, Some(lse), None)
}

/// The same, with what `score_mod` makes of each score.
///
/// # Errors
/// As of [`attention`].
pub fn attention_with_score_mod<T: Element>(call: &Attend<T>, score_mod: &dyn ScoreMod, out: &mut [T]) -> Result<()> {
    forward(call, out, None, Some(score_mod))
}

fn forward<T: Element>(
    call: &Attend<T>,
    out: &mut [T],
    lse: Option<&mut [f32]>,
    score_mod: Option<&dyn ScoreMod>,
) -> Result<()> {
    call.check()?;
    expect_len("the result", &call.heads.query(), out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(call.isa, |steps| run(&steps, call, out, lse, score_mod));
    Ok(())
}

fn run<'out, S: Steps + Sync, T: Element>(
    steps: &S,
    call: &Attend<T>,
    out: &'out mut [T],
    lse: Option<&'out mut [f32]>,
    score_mod: Option<&dyn ScoreMod>,
) {
    let Heads { heads, seq_q, head_dim, .. } = call.heads;
    let head = |index: usize| {
        let score_mod = score_mod.map(|score_mod| Running { score_mod, batch: index / heads, head: index % heads });
        Head { score_mod, ..call.head(index) }
    };
    let Some(lse) = lse else { return every_block(steps, [seq_q, head_dim], head, out) };
    let block = GROUPS * S::COLUMNS;
    let blocks = |((index, out), lse): ((usize, &'out mut [T]), &'out mut [f32])| {
        let blocks = out.chunks_mut(block * head_dim).zip(lse.chunks_mut(block)).enumerate().rev();
        blocks.map(move |(number, both)| (index, number, both))
    };
    let all = out.chunks_mut(seq_q * head_dim).enumerate().zip(lse.chunks_mut(seq_q)).flat_map(blocks);
    parallel_for(all, |(index, number, (out, lse))| {
        let lengths = lengths::<T>(S::COLUMNS, head_dim, [head_dim; 2]);
        scratch(lengths, |parts| attend(steps, &head(index), number * block, out, Some(lse), parts));
    });
}

/// The results of all heads, `[_, seq_q, value_dim]`, block by block on all threads; `head` gives one by its place among them. The
/// last block, which sees most, comes first.
pub fn every_block<'out, 'head, S: Steps + Sync, T: Element>(
    steps: &S,
    [seq_q, value_dim]: [usize; 2],
    head: impl Fn(usize) -> Head<'head, T> + Sync,
    out: &'out mut [T],
) {
    let block = GROUPS * S::COLUMNS;
    // Blocks of one head never share a chunk: `out` is cut by heads first.
    let blocks = |(index, out): (usize, &'out mut [T])| {
        let blocks = out.chunks_mut(block * value_dim).enumerate().rev();
        blocks.map(move |(number, out)| (index, number, out))
    };
    parallel_for(out.chunks_mut(seq_q * value_dim).enumerate().flat_map(blocks), |(index, number, out)| {
        let head = head(index);
        let lengths = lengths::<T>(S::COLUMNS, head.heads.head_dim, head.of_value);
        scratch(lengths, |parts| attend(steps, &head, number * block, out, None, parts));
    });
}
