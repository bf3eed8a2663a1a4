//! Few queries against many keys: every key and value is read once, all threads share the keys of a head.
#![expect(unsafe_code, reason = "the steps of an instruction set are made where it was detected")]

use std::ops::Range;

use super::cache::Cache;
use super::few::Row;
use super::isa::{self, Rows};
use super::step::{KEYS, LOWEST};
use super::{Attend, Heads};
use crate::error::{Error, Result, expect_len};
use crate::isa::with_isa;
use crate::memory::{Element, Soon, scratch};
use crate::team::parallel_for;

/// Keys of a part at least: shorter ones cost more to start than they save.
const LEAST_PART: usize = 256;

/// Parts for each thread, so that a late one does not hold up the rest for long.
const PARTS_A_THREAD: usize = 4;

/// Keys ahead of those that are read for which memory is asked: as long as it takes to answer, and few enough to stay in the
/// first-level cache until then.
const AHEAD: usize = 32;

/// The last queries of each sequence against its cache.
///
/// `key` and `value` are as `cache` says; `mask` is not supported. As in FlashDecoding (Dao et al., "Flash-Decoding for
/// long-context inference", 2023), the keys of a head are cut into parts whose sums are joined at the end.
///
/// # Errors
/// As of [`super::attention`], and a block table that has holes or names blocks that do not exist.
pub fn decode<T: Element>(call: &Attend<T>, cache: &Cache, out: &mut [T]) -> Result<()> {
    let heads = &call.heads;
    if call.mask.is_some() {
        return Err(Error::Shape(
            "a mask does not go with a cache: hide keys by causality, a window, or lengths".into(),
        ));
    }
    call.check_query()?;
    expect_len("the result", &heads.query(), out.len())?;
    cache.check(heads, call.key.len())?;
    expect_len("value", &[call.key.len()], call.value.len())?;
    if out.is_empty() {
        return Ok(());
    }
    with_isa!(call.isa, |steps| run(&steps, call, cache, out));
    Ok(())
}

fn run<S: Rows + Sync, T: Element>(steps: &S, call: &Attend<T>, cache: &Cache, out: &mut [T]) {
    let Heads { batch, heads, kv_heads, head_dim: d, .. } = call.heads;
    let units = batch * kv_heads / cache.heads_together(&call.heads);
    let rows = batch * heads * call.heads.seq_q / units;
    let parts = parts(units, call.heads.seq_kv);
    // Of each row: sums, then the largest score and the sum of weights.
    let width = d + 2;
    let room = if T::WIDENED { KEYS * d } else { 0 };
    if parts == 1 {
        // Nothing to wait for: whoever gathers a head's sums divides them.
        let whole = |(unit, out): (usize, &mut [T])| {
            scratch([rows * width, rows * d, KEYS, room, room, d], |[gathered, query, weights, keys, values, sum]| {
                one_part(steps, call, cache, Part { unit, of: 1, index: 0 }, gathered, [query, weights, keys, values]);
                for (row, out) in gathered.chunks_exact(width).zip(out.chunks_exact_mut(d)) {
                    join(std::iter::once(row), out, sum);
                }
            });
        };
        return parallel_for(out.chunks_mut(rows * d).enumerate(), whole);
    }
    in_parts([units, rows, d, parts], out, |part, gathered| {
        scratch([rows * d, KEYS, room, room], |parts| one_part(steps, call, cache, part, gathered, parts));
    });
}

/// Results `[units, rows, d]` of which each part of a unit's keys gathers `[rows, d + 2]`: sums, the largest score, and the sum of
/// weights.
pub(super) fn in_parts<T: Element>(
    [units, rows, d, parts]: [usize; 4],
    out: &mut [T],
    gather: impl Fn(Part, &mut [f32]) + Sync,
) {
    let width = d + 2;
    scratch([units * parts * rows * width], |[gathered]| {
        parallel_for(gathered.chunks_mut(rows * width).enumerate(), |(index, gathered)| {
            gather(Part { unit: index / parts, of: parts, index: index % parts }, gathered);
        });
        scratch([d], |[sum]| {
            for (index, out) in out.chunks_exact_mut(d).enumerate() {
                let (unit, row) = (index / rows, index % rows);
                let mine = gathered[unit * parts * rows * width..].chunks_exact(rows * width).take(parts);
                join(mine.map(|part| &part[row * width..][..width]), out, sum);
            }
        });
    });
}

/// In how many parts the keys of a unit are cut.
pub(super) fn parts(units: usize, keys: usize) -> usize {
    let wanted = (PARTS_A_THREAD * rayon::current_num_threads()).div_ceil(units.max(1));
    wanted.min(keys / LEAST_PART).max(1)
}

/// Part `index` of `of` of the keys of a unit: of one head, or of all heads of a sequence where they lie side by side.
pub(super) struct Part {
    pub unit: usize,
    pub of: usize,
    pub index: usize,
}

/// Gathers what the keys of a part give the queries of its heads.
fn one_part<S: Rows, T: Element>(
    steps: &S,
    call: &Attend<T>,
    cache: &Cache,
    part: Part,
    gathered: &mut [f32],
    [query, weights, key_room, value_room]: [&mut [f32]; 4],
) {
    let Heads { heads, kv_heads, seq_q, head_dim: d, .. } = call.heads;
    let side_by_side = cache.heads_together(&call.heads);
    let first = part.unit * side_by_side;
    let (sequence, rows) = (first / kv_heads, heads / kv_heads * seq_q);
    let length = cache.length(&call.heads, sequence);
    let scale = call.scale() * std::f32::consts::LOG2_E;
    for (to, from) in query.iter_mut().zip(&call.query[first * rows * d..]) {
        *to = from.wide() * scale;
    }
    for row in gathered.chunks_exact_mut(d + 2) {
        row[..d].fill(0.0);
        row[d..].copy_from_slice(&[LOWEST, 0.0]);
    }
    let (mut start, end) = (part.index * length / part.of, (part.index + 1) * length / part.of);
    while start < end {
        let keys = start..end.min(start + KEYS);
        let mut together = 0;
        for head in 0..side_by_side {
            let at;
            (at, together) = cache.run(&call.heads, sequence, (first + head) % kv_heads, keys.clone());
            let next = (start + together.min(AHEAD)).min(end - 1)..end;
            let (next, _) = cache.run(&call.heads, sequence, (first + head) % kv_heads, next);
            let soon = [Soon::of(&call.key[next.clone()]), Soon::of(&call.value[next])];
            let key = T::tile(&call.key[at.clone()], key_room);
            let value = T::tile(&call.value[at], value_room);
            let mine = gathered.chunks_exact_mut(d + 2).zip(query.chunks_exact(d)).enumerate();
            for (row, (kept, query)) in mine.skip(head * rows).take(rows) {
                let seen = seen(call, row % seq_q, length);
                let (from, to) = (seen.start.max(start), seen.end.min(start + together));
                if from >= to {
                    continue;
                }
                let part = (from - start) * d..(to - start) * d;
                let (sum, bounds) = kept.split_at_mut(d);
                let mut both = [bounds[0], bounds[1]];
                let mut state = Row { query, weights: &mut *weights, sum, bounds: &mut both, soon };
                steps.row(d, &key[part.clone()], &value[part], &mut state);
                bounds.copy_from_slice(&both);
            }
        }
        start += together;
    }
}

/// The keys that query `row` of a sequence of `length` keys sees; the last query sees the last key.
fn seen<T>(call: &Attend<T>, row: usize, length: usize) -> Range<usize> {
    let at = (row + length + 1).saturating_sub(call.heads.seq_q);
    let end = if call.causal { at.min(length) } else { length };
    let start = call.window.map_or(0, |window| at.saturating_sub(window));
    start.min(end)..end
}

/// Joins what the parts gathered.
fn join<'a, T: Element>(parts: impl Iterator<Item = &'a [f32]> + Clone, out: &mut [T], sum: &mut [f32]) {
    let d = out.len();
    let largest = parts.clone().fold(LOWEST, |most, part| most.max(part[d]));
    let mut total = 0.0;
    sum.fill(0.0);
    for part in parts {
        let factor = (part[d] - largest).exp2();
        total += factor * part[d + 1];
        for (to, from) in sum.iter_mut().zip(part) {
            *to += factor * from;
        }
    }
    let share = if total == 0.0 { 0.0 } else { total.recip() };
    out.iter_mut().zip(sum).for_each(|(to, from)| *to = T::narrow(*from * share));
}
