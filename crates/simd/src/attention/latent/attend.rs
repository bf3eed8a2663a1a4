//! The attention within both forms.
#![expect(unsafe_code, reason = "the steps of an instruction set are made where it was detected")]

use super::{LatentAttention, LatentSizes};
use crate::attention::Heads;
use crate::attention::block::{GROUPS, Gathered, Head, Hidden, Steps, average, gather, lay_out};
use crate::attention::call::every_block;
use crate::attention::decode::parts;
use crate::attention::isa;
use crate::attention::step::KEYS;
use crate::error::Result;
use crate::isa::with_isa;
use crate::memory::scratch;
use crate::team::parallel_for;

/// What queries `[_, heads, seq_q, d]`, keys `[_, heads, seq_kv, d]` and values `[_, heads, seq_kv, value_dim]` of some sequences
/// give, where `d` is `head_dim + rotary_dim`, into `out` `[_, heads, seq_q, value_dim]`.
///
/// # Errors
/// An instruction set that is absent.
pub fn expanded(call: &LatentAttention, inputs: [&[f32]; 3], out: &mut [f32]) -> Result<()> {
    with_isa!(call.weights.isa, |steps| by_keys(&steps, call, inputs, out));
    Ok(())
}

fn by_keys<S: Steps + Sync>(steps: &S, call: &LatentAttention, [query, key, value]: [&[f32]; 3], out: &mut [f32]) {
    let (LatentAttention { seq_q, seq_kv, weights, .. }, scale) = (*call, call.weights.sizes.scale());
    let LatentSizes { head_dim, rotary_dim, value_dim, .. } = weights.sizes;
    let d = head_dim + rotary_dim;
    let heads = Heads { batch: 1, heads: 1, kv_heads: 1, seq_q, seq_kv, head_dim: d };
    let hidden = hidden(call.cached() as isize, 1);
    let head = |index: usize| Head {
        heads: &heads,
        query: &query[index * seq_q * d..][..seq_q * d],
        key: &key[index * seq_kv * d..][..seq_kv * d],
        value: &value[index * seq_kv * value_dim..][..seq_kv * value_dim],
        of_value: [value_dim; 2],
        scale,
        hidden,
        score_mod: None,
    };
    every_block(steps, [seq_q, value_dim], head, out);
}

/// What queries see that stand at a position each, or `together` of them: nothing after themselves.
fn hidden(offset: isize, together: usize) -> Hidden<'static> {
    Hidden { causal: true, window: None, mask: None, offset, together }
}

/// What queries `[batch, seq_q, heads, entry]` give with entries as keys and latents as values, into `out`
/// `[batch, seq_q, heads, kv_rank]`. As in decoding, entries are cut into parts whose sums are joined at the end; all queries of a
/// block read an entry once.
///
/// # Errors
/// An instruction set that is absent.
pub fn absorbed(call: &LatentAttention, query: &[f32], entries: &[f32], out: &mut [f32]) -> Result<()> {
    with_isa!(call.weights.isa, |steps| by_latents(&steps, call, [query, entries], out));
    Ok(())
}

fn by_latents<S: Steps + Sync>(steps: &S, call: &LatentAttention, inputs: [&[f32]; 2], out: &mut [f32]) {
    let LatentSizes { heads, kv_rank, .. } = call.weights.sizes;
    let rows = call.seq_q * heads;
    let block = rows.min(GROUPS * S::COLUMNS);
    let blocks = rows.div_ceil(block);
    let columns = block.next_multiple_of(S::COLUMNS);
    let parts = parts(call.batch * blocks, call.seq_kv);
    let each = columns * (kv_rank + 2);
    scratch([call.batch * blocks * parts * each], |[gathered]| {
        parallel_for(gathered.chunks_exact_mut(each).enumerate(), |(task, gathered)| {
            let (unit, part) = (task / parts, task % parts);
            let first = unit % blocks * block;
            let queries = [unit / blocks * rows + first, first, block.min(rows - first)];
            let keys = part * call.seq_kv / parts..(part + 1) * call.seq_kv / parts;
            one_part(steps, call, inputs, queries, keys, of(gathered, columns, kv_rank));
        });
        let blocks = out.chunks_mut(rows * kv_rank).flat_map(|out| out.chunks_mut(block * kv_rank));
        parallel_for(gathered.chunks_exact_mut(parts * each).zip(blocks), |(gathered, out)| {
            let mut parts = gathered.chunks_exact_mut(each).map(|part| of(part, columns, kv_rank));
            let Some(mut all) = parts.next() else { return };
            parts.for_each(|part| join(S::COLUMNS, &mut all, part));
            average(kv_rank, S::COLUMNS, all.sum, all.total, out);
        });
    });
}

/// What is gathered in so many columns, as it lies in scratch.
fn of(gathered: &mut [f32], columns: usize, value_dim: usize) -> Gathered<'_> {
    let (sum, bounds) = gathered.split_at_mut(columns * value_dim);
    let (largest, total) = bounds.split_at_mut(columns);
    Gathered { sum, largest, total }
}

/// What some keys give `count` queries of a sequence from `first` on; `at` is that one's place among all queries.
fn one_part<S: Steps>(
    steps: &S,
    call: &LatentAttention,
    [query, entries]: [&[f32]; 2],
    [at, first, count]: [usize; 3],
    keys: std::ops::Range<usize>,
    gathered: Gathered,
) {
    let LatentSizes { heads: together, kv_rank, .. } = call.weights.sizes;
    let (rows, entry, cached) = (call.seq_q * together, call.weights.sizes.entry(), call.cached());
    let (scale, sequence) = (call.weights.sizes.scale(), at / rows);
    let laid = count.next_multiple_of(S::COLUMNS) * entry;
    let mut gathered = Gathered::new(gathered.sum, gathered.largest, gathered.total);
    scratch([laid, KEYS * S::COLUMNS], |[laid, weights]| {
        lay_out(&query[at * entry..][..count * entry], entry, S::COLUMNS, scale, laid);
        // Those of the cache and the new ones lie apart.
        let new = sequence * call.seq_q..(sequence + 1) * call.seq_q;
        let kept = sequence * cached..(sequence + 1) * cached;
        for (from, lie, begin) in [(call.cache, kept, 0), (entries, new, cached)] {
            let (start, end) = (keys.start.max(begin), keys.end.min(begin + lie.len()));
            if start >= end {
                continue;
            }
            let key = &from[(lie.start + start - begin) * entry..(lie.start + end - begin) * entry];
            let heads = Heads { batch: 1, heads: 1, kv_heads: 1, seq_q: rows, seq_kv: end - start, head_dim: entry };
            let head = Head {
                heads: &heads,
                query: &[],
                key,
                value: key,
                of_value: [kv_rank, entry],
                scale,
                hidden: hidden(cached as isize - start as isize, together),
                score_mod: None,
            };
            gather(steps, &head, [first, count], laid, &mut gathered, [&mut *weights, &mut [], &mut []]);
        }
    });
}

/// Adds what other keys have given the same queries.
fn join(columns: usize, all: &mut Gathered, other: Gathered) {
    for column in 0..all.total.len() {
        let (mine, theirs) = (all.largest[column], other.largest[column]);
        let most = mine.max(theirs);
        let [mine, theirs] = [mine - most, theirs - most].map(f32::exp2);
        all.total[column] = mine * all.total[column] + theirs * other.total[column];
        // What sums are multiplied by.
        (other.total[column], other.largest[column], all.largest[column]) = (mine, theirs, most);
    }
    let value_dim = all.sum.len() / all.total.len();
    let groups = all.sum.chunks_exact_mut(value_dim * columns).zip(other.sum.chunks_exact(value_dim * columns));
    let factors = other.total.chunks_exact(columns).zip(other.largest.chunks_exact(columns));
    for ((all, other), (mine, theirs)) in groups.zip(factors) {
        for (all, other) in all.chunks_exact_mut(columns).zip(other.chunks_exact(columns)) {
            for (((all, other), mine), theirs) in all.iter_mut().zip(other).zip(mine).zip(theirs) {
                *all = mine * *all + theirs * other;
            }
        }
    }
}
