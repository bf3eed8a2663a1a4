//! A whole attention call: every head, every block of queries, on rayon's threads.
#![expect(unsafe_code, reason = "the steps of an instruction set are made where it was detected")]

use rayon::prelude::*;

use super::block::{GROUPS, Head, Steps, attend, lengths};
use super::decode::decode;
use super::hidden::Hidden;
use super::isa;
use super::program::{Program, Running};
use super::{Cache, Heads};
use crate::element::Element;
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::scratch::scratch;

/// What is said of a window that shows nothing.
pub(super) const EMPTY_WINDOW: &str = "a window of 0 keys shows nothing: leave it away or give 1 at least";

/// Up to so many queries, keys are read for one query at a time.
const FEW: usize = 4;

/// What is attended to what.
#[derive(Debug, Clone, Copy)]
pub struct Attend<'a, T = f32> {
    /// Sizes of all that follows.
    pub heads: Heads,
    /// `[batch, heads, seq_q, head_dim]`
    pub query: &'a [T],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub key: &'a [T],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub value: &'a [T],
    /// Factor of the scores; `None`: 1 / √head_dim.
    pub scale: Option<f32>,
    /// Whether a query sees no key after its own position; the last query sees the last key.
    pub causal: bool,
    /// How many keys a query sees at most, the one at its own position included.
    pub window: Option<usize>,
    /// `[batch, seq_q, seq_kv]`, true where a key is hidden.
    pub mask: Option<&'a [bool]>,
    /// Instructions to use.
    pub isa: Isa,
}

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

/// The same, with what `program` makes of each score.
///
/// # Errors
/// As of [`attention`].
pub fn attention_with_program<T: Element>(call: &Attend<T>, program: &dyn Program, out: &mut [T]) -> Result<()> {
    forward(call, out, None, Some(program))
}

fn forward<T: Element>(
    call: &Attend<T>,
    out: &mut [T],
    lse: Option<&mut [f32]>,
    program: Option<&dyn Program>,
) -> Result<()> {
    let Attend { heads, query, key, value, mask, .. } = call;
    heads.check()?;
    expect_len("query", &heads.query(), query.len())?;
    expect_len("key", &heads.key(), key.len())?;
    expect_len("value", &heads.key(), value.len())?;
    expect_len("the result", &heads.query(), out.len())?;
    if let Some(mask) = mask {
        expect_len("mask", &[heads.batch, heads.seq_q, heads.seq_kv], mask.len())?;
    }
    if call.window == Some(0) {
        return Err(Error::Shape(EMPTY_WINDOW.into()));
    }
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(call.isa, |steps| run(&steps, call, out, lse, program));
    Ok(())
}

fn run<S: Steps + Sync, T: Element>(
    steps: &S,
    call: &Attend<T>,
    out: &mut [T],
    lse: Option<&mut [f32]>,
    program: Option<&dyn Program>,
) {
    let Heads { heads, kv_heads, seq_q, seq_kv, head_dim, .. } = call.heads;
    let block = GROUPS * S::COLUMNS;
    let scale = call.scale.unwrap_or_else(|| 1.0 / (head_dim as f32).sqrt()) * std::f32::consts::LOG2_E;
    let one = |index: usize, number: usize, out: &mut [T], lse: Option<&mut [f32]>| {
        let (batch, head) = (index / heads, index % heads);
        let kv = (batch * kv_heads + head / (heads / kv_heads)) * seq_kv * head_dim;
        let mine = Head {
            heads: &call.heads,
            query: &call.query[index * seq_q * head_dim..][..seq_q * head_dim],
            key: &call.key[kv..][..seq_kv * head_dim],
            value: &call.value[kv..][..seq_kv * head_dim],
            scale,
            hidden: Hidden {
                causal: call.causal,
                window: call.window.map(|window| window.min(seq_q + seq_kv)),
                mask: call.mask.map(|mask| &mask[batch * seq_q * seq_kv..][..seq_q * seq_kv]),
                offset: seq_kv as isize - seq_q as isize,
            },
            program: program.map(|program| Running { program, batch, head }),
        };
        let lengths = lengths::<T>(S::COLUMNS, head_dim);
        scratch(lengths, |parts| attend(steps, &mine, number * block, out, lse, parts));
    };
    // Blocks of one head never share a chunk: `out` is cut by heads first.
    let all = out.par_chunks_mut(seq_q * head_dim).enumerate();
    match lse {
        None => all.for_each(|(index, out)| {
            let blocks = out.par_chunks_mut(block * head_dim).enumerate();
            blocks.for_each(|(number, out)| one(index, number, out, None));
        }),
        Some(lse) => all.zip(lse.par_chunks_mut(seq_q)).for_each(|((index, out), lse)| {
            let blocks = out.par_chunks_mut(block * head_dim).zip(lse.par_chunks_mut(block)).enumerate();
            blocks.for_each(|(number, (out, lse))| one(index, number, out, Some(lse)));
        }),
    }
}
