//! Attention together with the projections around it.
#![expect(unsafe_code, reason = "a task writes rows of every head, which do not lie together")]

use std::sync::OnceLock;

use super::{Attend, Heads, Projections, attention};
use crate::error::{Result, expect_len};
use crate::isa::with_isa;
use crate::matmul::isa::{self, Tile};
use crate::matmul::pack::{self, LEFT_ROW, Rows};
use crate::memory::{Pieces, scratch};
use crate::team::parallel_for;

/// Registers' worth of queries that attention takes at a time.
const GROUPS: usize = 4;

/// Registers' worth of positions in a block at most: what becomes of them stays in the second-level cache.
const MOST_GROUPS: usize = 6;

/// Blocks for each thread at least, where there are as many positions.
const BLOCKS_A_THREAD: usize = 2;

/// Attention of a sequence to itself, with its projections.
#[derive(Debug, Clone, Copy)]
pub struct Projected<'a> {
    /// Sequences.
    pub batch: usize,
    /// Positions of a sequence.
    pub seq: usize,
    /// `[batch, seq, hidden]`
    pub input: &'a [f32],
    /// What projects, and for which instructions.
    pub weights: &'a Projections,
    /// Whether a position sees none after itself.
    pub causal: bool,
}

/// Attention(x W_q, x W_k, x W_v) W_out (Vaswani et al., arXiv 1706.03762, section 3.2.2), `out` `[batch, seq, hidden]`.
///
/// Keys and values are projected first, each head to rows of its own, as attention reads them. Then every block of positions
/// goes all the way while it is in the second-level cache, a few heads at a time: their queries are projected, attend, and
/// what they give is packed as the left factor of their share in the last product. Queries and what heads give never exist
/// but for these, nothing is transposed, and nothing is allocated once every thread has its scratch, which grows with
/// seq · kv_heads · head_dim.
///
/// Threads share blocks of positions: a few positions in all are computed by one.
///
/// # Errors
/// Slices of the wrong length, an instruction set that is absent.
pub fn projected_attention(call: &Projected, out: &mut [f32]) -> Result<()> {
    let shape = [call.batch, call.seq, call.weights.hidden()];
    expect_len("the input", &shape, call.input.len())?;
    expect_len("the result", &shape, out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(call.weights.isa(), |tile| run(&tile, call, out))
}

fn run<T: Tile + Sync>(tile: &T, call: &Projected, out: &mut [f32]) -> Result<()> {
    let Projected { batch, seq, weights, .. } = *call;
    let (hidden, kv) = (weights.hidden(), weights.kv_heads() * weights.head_dim());
    // As many sequences at a time as keep the threads busy: their keys and values stay near.
    let wanted = BLOCKS_A_THREAD * rayon::current_num_threads() * MOST_GROUPS * T::COLUMNS;
    let together = wanted.div_ceil(seq).min(batch);
    let rows = block_rows::<T>(together * seq);
    let failed = OnceLock::new();
    scratch([together * seq * kv, together * seq * kv], |[key, value]| {
        let all = call.input.chunks(together * seq * hidden).zip(out.chunks_mut(together * seq * hidden));
        for (input, out) in all {
            let count = input.len() / hidden;
            let (key, value) = (&mut key[..count * kv], &mut value[..count * kv]);
            project(tile, call, rows, input, [&mut *key, &mut *value]);
            let kept = [&*key, &*value];
            let blocks = out.chunks_mut(rows * hidden).zip(input.chunks(rows * hidden)).enumerate();
            parallel_for(blocks, |(block, (out, input))| {
                if let Err(error) = one_block(tile, call, block * rows, input, kept, out) {
                    failed.get_or_init(|| error);
                }
            });
        }
    });
    failed.into_inner().map_or(Ok(()), Err)
}

/// Rows of a block of `positions`: so that the thread with the most work has as little as can be.
fn block_rows<T: Tile>(positions: usize) -> usize {
    let longest = |groups: &usize| {
        let rows = groups * T::COLUMNS;
        let blocks = positions.div_ceil(rows).div_ceil(rayon::current_num_threads());
        blocks * rows.next_multiple_of(T::ROWS)
    };
    // The largest of those that are as good.
    (1..=MOST_GROUPS).rev().min_by_key(longest).unwrap_or(1) * T::COLUMNS
}

/// Keys and values of positions, `[kv_heads, positions, head_dim]`, a block of positions a task.
fn project<T: Tile + Sync>(tile: &T, call: &Projected, rows: usize, input: &[f32], kept: [&mut [f32]; 2]) {
    let weights = call.weights;
    let (kv_heads, d, hidden) = (weights.kv_heads(), weights.head_dim(), weights.hidden());
    let positions = input.len() / hidden;
    let kept = kept.map(Pieces::new);
    parallel_for(input.chunks(rows * hidden).enumerate(), |(block, input)| {
        let count = input.len() / hidden;
        scratch([count.next_multiple_of(T::ROWS) * LEFT_ROW], |[left]| {
            for run in weights.key.runs(0..hidden) {
                pack::rows(input, hidden, 0, run, left);
                for (to, panels) in kept.iter().zip([&weights.key, &weights.value]) {
                    panels.add(tile, left, run, Rows { count, apart: d }, 0..kv_heads, |head| {
                        let start = (head * positions + block * rows) * d;
                        // SAFETY: these positions are this task's alone, and it takes one head at a time.
                        unsafe { to.piece(start..start + count * d) }
                    });
                }
            }
        });
    });
}

/// The result of the positions from `first` on that `input` holds; `kept` are keys and values of all positions.
fn one_block<T: Tile>(
    tile: &T,
    call: &Projected,
    first: usize,
    input: &[f32],
    kept: [&[f32]; 2],
    out: &mut [f32],
) -> Result<()> {
    let weights = call.weights;
    let (d, hidden) = (weights.head_dim(), weights.hidden());
    let count = input.len() / hidden;
    let (side, all) = (count * d, weights.together.min(weights.heads()));
    let lengths = [count.next_multiple_of(T::ROWS) * LEFT_ROW, all * side, all * side];
    scratch(lengths, |[left, query, gathered]| {
        for head in (0..weights.heads()).step_by(all) {
            let heads = head..weights.heads().min(head + all);
            for run in weights.query.runs(0..hidden) {
                pack::rows(input, hidden, 0, run, left);
                let mut sides = query.chunks_exact_mut(side);
                let rows = Rows { count, apart: d };
                weights.query.add(tile, left, run, rows, heads.clone(), |_| sides.next().unwrap_or_default());
            }
            let sides = query.chunks_exact(side).zip(gathered.chunks_exact_mut(side));
            for (head, (query, gathered)) in heads.clone().zip(sides) {
                attend::<T>(call, head, first, query, kept, gathered)?;
            }
            for [step, steps] in weights.out.runs(heads.start * d..heads.end * d) {
                pack::heads(gathered, count, d, [step - heads.start * d, steps], left);
                let (rows, mut whole) = (Rows { count, apart: hidden }, Some(&mut *out));
                weights.out.add(tile, left, [step, steps], rows, 0..1, |_| whole.take().unwrap_or_default());
            }
        }
        Ok(())
    })
}

/// One head's queries of the positions from `first` on, each stretch of them to the keys of its sequence.
fn attend<T: Tile>(
    call: &Projected,
    head: usize,
    first: usize,
    query: &[f32],
    [key, value]: [&[f32]; 2],
    out: &mut [f32],
) -> Result<()> {
    let Projected { seq, weights, causal, .. } = *call;
    let (d, isa) = (weights.head_dim(), weights.isa());
    let shared = head / (weights.heads() / weights.kv_heads()) * (key.len() / weights.kv_heads());
    let (count, mut done) = (query.len() / d, 0);
    while done < count {
        let (sequence, at) = ((first + done) / seq, (first + done) % seq);
        let seq_q = (seq - at).min(count - done).min(GROUPS * T::COLUMNS);
        let seq_kv = if causal { at + seq_q } else { seq };
        let heads = Heads { batch: 1, heads: 1, kv_heads: 1, seq_q, seq_kv, head_dim: d };
        let kept = shared + sequence * seq * d;
        let (key, value) = (&key[kept..][..seq_kv * d], &value[kept..][..seq_kv * d]);
        let mine = done * d..(done + seq_q) * d;
        let (query, scale, window, mask) = (&query[mine.clone()], None, None, None);
        attention(&Attend { heads, query, key, value, scale, causal, window, mask, isa }, &mut out[mine])?;
        done += seq_q;
    }
    Ok(())
}
