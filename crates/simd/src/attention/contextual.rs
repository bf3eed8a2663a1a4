//! Attention with contextual positions: keys from the last to the first, positions counted on the way.
#![expect(unsafe_code, reason = "the steps of an instruction set are made where it was detected")]

use super::block::{GROUPS, Head, average, lay_out};
use super::isa::{self, Walks};
use super::step::{KEYS, LOWEST, State};
use super::walk::{MOST_POSITIONS, Walk};
use super::{Attend, Heads};
use crate::error::{Error, Result, expect_len};
use crate::isa::{Isa, with_isa};
use crate::memory::scratch;
use crate::team::parallel_for;

/// What is attended to what, causally, and what positions add.
#[derive(Debug, Clone, Copy)]
pub struct Contextual<'a> {
    /// Sizes of all that follows; the last query sees the last key.
    pub heads: Heads,
    /// `[batch, heads, seq_q, head_dim]`
    pub query: &'a [f32],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub key: &'a [f32],
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub value: &'a [f32],
    /// `[positions, head_dim]`: what stands for each position, shared by all heads.
    pub embedding: &'a [f32],
    /// Rows of the embedding, 1 at least.
    pub positions: usize,
    /// Factor of the scores, those that gates are made of included; `None`: 1 / √head_dim.
    pub scale: Option<f32>,
    /// Instructions to use.
    pub isa: Isa,
}

impl Contextual<'_> {
    /// The same call without positions.
    fn plain(&self) -> Attend<'_> {
        let Self { heads, query, key, value, scale, isa, .. } = *self;
        Attend { heads, query, key, value, scale, causal: true, window: None, mask: None, isa }
    }
}

/// Causal attention with contextual positions (CoPE: Golovneva et al., arXiv 2405.18719, section 3), without the scores in
/// memory.
///
/// The score of query i and key j is s = scale · q·k. Its gate is sigmoid(s), of the *scaled* score, as in the program that
/// the paper prints; its text leaves the scale out. The position p of key j is the sum of the gates of keys j to i, at most
/// positions − 1. The product q·e of the *unscaled* query and the embedding, interpolated between ⌊p⌋ and ⌈p⌉, is added to
/// s; the softmax follows.
///
/// Keys are visited from the last to the first, which an online softmax does not mind, so that gates add up on the way.
/// Scratch grows with positions, never with the square of the sequence. A query that sees no key gets zeros. Nothing is
/// allocated once every thread has its scratch.
///
/// # Errors
/// Slices of the wrong length, heads that do not divide, no positions, more than 2²⁴ of them that can be reached, an
/// instruction set that is absent.
pub fn contextual_attention(call: &Contextual, out: &mut [f32]) -> Result<()> {
    let Contextual { heads, embedding, positions, .. } = *call;
    if positions == 0 {
        return Err(Error::Shape("an embedding of 0 positions has nothing to add: give 1 at least".into()));
    }
    let reached = rows(positions, heads.seq_kv);
    if reached > MOST_POSITIONS {
        return Err(Error::Shape(format!("{reached} positions can be reached, give {MOST_POSITIONS} at most")));
    }
    call.plain().check()?;
    expect_len("the embedding", &[positions, heads.head_dim], embedding.len())?;
    expect_len("the result", &heads.query(), out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(call.isa, |steps| run(&steps, call, out));
    Ok(())
}

fn run<'out, S: Walks + Sync>(steps: &S, call: &Contextual, out: &'out mut [f32]) {
    let Heads { seq_q, seq_kv, head_dim: d, .. } = call.heads;
    let (plain, all) = (call.plain(), GROUPS * S::COLUMNS);
    let rows = rows(call.positions, seq_kv);
    let lengths = [all * d, KEYS * S::COLUMNS, all * d, all, all, all * (rows + 1), all, all];
    let blocks = |(index, out): (usize, &'out mut [f32])| {
        out.chunks_mut(all * d).enumerate().map(move |(number, out)| (index, number, out))
    };
    parallel_for(out.chunks_mut(seq_q * d).enumerate().flat_map(blocks), |(index, number, out)| {
        let head = plain.head(index);
        scratch(lengths, |parts| one_block(steps, &head, call, number * all, out, parts));
    });
}

/// Rows of the embedding that a query reaches: its position is at most the number of keys that it sees.
fn rows(positions: usize, keys: usize) -> usize {
    positions.min(keys.saturating_add(1))
}

/// Writes the results of queries `first..` to `out`, as many as it holds.
fn one_block<S: Walks>(
    steps: &S,
    head: &Head<f32>,
    call: &Contextual,
    first: usize,
    out: &mut [f32],
    [query, weights, sum, largest, total, table, whole, fraction]: [&mut [f32]; 8],
) {
    let (d, columns) = (head.heads.head_dim, S::COLUMNS);
    let count = out.len() / d;
    let groups = count.div_ceil(columns);
    let end = head.hidden.range(head.heads, first, count).end;
    let rows = rows(call.positions, end);
    let table = &mut table[..groups * (rows + 1) * columns];
    let (rows_of, query) = (&head.query[first * d..][..count * d], &mut query[..groups * columns * d]);
    lay_out(rows_of, d, columns, std::f32::consts::LOG2_E, query);
    for (query, table) in query.chunks_exact(d * columns).zip(table.chunks_exact_mut((rows + 1) * columns)) {
        for (embedding, to) in call.embedding[..rows * d].chunks(KEYS * d).zip(table.chunks_mut(KEYS * columns)) {
            steps.score(d, embedding, query, to);
        }
        table.copy_within((rows - 1) * columns..rows * columns, rows * columns);
    }
    lay_out(rows_of, d, columns, head.scale, query);
    sum[..groups * d * columns].fill(0.0);
    largest.fill(LOWEST);
    total.fill(0.0);
    fraction.fill(0.0);
    whole[..count].fill(0.0);
    // Columns without a query have nowhere to go.
    whole[count..].fill((rows - 1) as f32);
    let mut over = [false; GROUPS];
    for start in (0..end).step_by(KEYS).rev() {
        let keys = start..end.min(start + KEYS);
        let (key, value) = (&head.key[start * d..keys.end * d], &head.value[start * d..keys.end * d]);
        for (group, over) in over.iter_mut().enumerate().take(groups) {
            let (begin, across) = (first + group * columns, group * columns..(group + 1) * columns);
            let size = columns.min(first + count - begin);
            if head.hidden.range(head.heads, begin, size).end <= start {
                continue;
            }
            let mut walk = Walk {
                table: &table[group * (rows + 1) * columns..][..(rows + 1) * columns],
                last: rows - 1,
                whole: &mut whole[across.clone()],
                fraction: &mut fraction[across.clone()],
            };
            let mut state = State {
                weights: &mut weights[..keys.len() * columns],
                sum: &mut sum[group * d * columns..][..d * columns],
                largest: &mut largest[across.clone()],
                total: &mut total[across],
            };
            if !*over && walk.over() {
                *over = true;
                come_to_the_end(&walk, &mut state);
            }
            steps.score(d, key, &query[group * d * columns..][..d * columns], state.weights);
            if !head.hidden.sees_all(begin, size, &keys) {
                head.hidden.hide(head.heads.seq_kv, begin, size, &keys, columns, state.weights);
            }
            if !*over {
                steps.walk(state.weights, &mut walk);
            }
            steps.gather([d; 2], value, &mut state);
        }
    }
    average(d, columns, sum, total, out);
}

/// All keys that are left stand at the last position. What that adds to their scores is taken from the largest score
/// instead, for they count in relation to it alone: from here on scores need nothing more.
fn come_to_the_end(walk: &Walk, state: &mut State) {
    for ((largest, total), added) in state.largest.iter_mut().zip(&*state.total).zip(walk.at_last()) {
        // With nothing gathered yet, what all keys get alike changes nothing.
        if *total != 0.0 {
            *largest -= added;
        }
    }
}
