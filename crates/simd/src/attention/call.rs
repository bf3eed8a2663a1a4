//! A whole attention call: every head, every block of queries, on rayon's threads.
#![expect(unsafe_code, reason = "the steps of an instruction set are made where it was detected")]

use rayon::prelude::*;

use super::block::{GROUPS, Head, Steps, attend, lengths};
use super::decode::decode;
use super::isa;
use super::program::{Program, Running};
use super::{Attend, Cache, Heads};
use crate::element::Element;
use crate::error::{Result, expect_len};
use crate::isa::with_isa;
use crate::scratch::scratch;

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
    call.check()?;
    expect_len("the result", &call.heads.query(), out.len())?;
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
    let Heads { heads, seq_q, head_dim, .. } = call.heads;
    let block = GROUPS * S::COLUMNS;
    let one = |index: usize, number: usize, out: &mut [T], lse: Option<&mut [f32]>| {
        let program = program.map(|program| Running { program, batch: index / heads, head: index % heads });
        let mine = Head { program, ..call.head(index) };
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
