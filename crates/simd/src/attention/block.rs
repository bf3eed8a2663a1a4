//! A block of queries of one head against all the keys that they see.

use super::Heads;
use super::hidden::Hidden;
use super::program::Running;
use super::step::{KEYS, LOWEST, State};
use crate::element::Element;

/// Registers' worth of queries in a block: more reuse each tile of keys while it is in the cache.
pub const GROUPS: usize = 4;

/// One head's slices and what its queries see.
pub struct Head<'a, T> {
    pub heads: &'a Heads,
    /// `[seq_q, head_dim]`
    pub query: &'a [T],
    /// `[seq_kv, head_dim]`
    pub key: &'a [T],
    /// `[seq_kv, head_dim]`
    pub value: &'a [T],
    /// Times log₂ e: weights are powers of two.
    pub scale: f32,
    pub hidden: Hidden<'a>,
    pub program: Option<Running<'a>>,
}

/// The arithmetic of an instruction set.
pub trait Steps {
    /// Queries side by side: two registers' lanes.
    const COLUMNS: usize;

    /// Scores of the keys of one tile; see [`super::step::score`].
    fn score(&self, head_dim: usize, key: &[f32], state: &mut State);

    /// Weights and sums of one tile; see [`super::step::soften`] and [`super::step::gather`].
    fn gather(&self, head_dim: usize, value: &[f32], state: &mut State);
}

/// Numbers of scratch for a block: queries, weights, sums, largest scores, totals, widened keys and values.
pub fn lengths<T: Element>(columns: usize, head_dim: usize) -> [usize; 7] {
    let all = GROUPS * columns;
    let tile = if T::WIDENED { KEYS * head_dim } else { 0 };
    [all * head_dim, KEYS * columns, all * head_dim, all, all, tile, tile]
}

/// Writes the results of queries `first..` to `out`, as many as it holds, and the logarithms of their sums to `lse`.
pub fn attend<S: Steps, T: Element>(
    steps: &S,
    head: &Head<T>,
    first: usize,
    out: &mut [T],
    lse: Option<&mut [f32]>,
    parts: [&mut [f32]; 7],
) {
    let d = head.heads.head_dim;
    let count = out.len() / d;
    let [query, weights, sum, largest, total, key_room, value_room] = parts;
    let groups = count.div_ceil(S::COLUMNS);
    sum[..groups * d * S::COLUMNS].fill(0.0);
    largest.fill(LOWEST);
    total.fill(0.0);
    for group in 0..groups {
        let to = &mut query[group * d * S::COLUMNS..][..d * S::COLUMNS];
        lay_out::<S, T>(head, first + group * S::COLUMNS, count - group * S::COLUMNS, to);
    }
    let seen = head.hidden.range(head.heads, first, count);
    let mut start = seen.start;
    while start < seen.end {
        let keys = start..seen.end.min(start + KEYS);
        let tile = start * d..keys.end * d;
        let key = T::tile(&head.key[tile.clone()], key_room);
        let value = T::tile(&head.value[tile], value_room);
        for group in 0..groups {
            let begin = first + group * S::COLUMNS;
            let size = S::COLUMNS.min(first + count - begin);
            let visible = head.hidden.range(head.heads, begin, size);
            let queries = begin..begin + size;
            let left_out = head.program.is_some_and(|program| !program.visits(&queries, &keys));
            if left_out || visible.end <= keys.start || keys.end <= visible.start {
                continue;
            }
            let mut state = State {
                query: &query[group * d * S::COLUMNS..][..d * S::COLUMNS],
                weights: &mut weights[..keys.len() * S::COLUMNS],
                sum: &mut sum[group * d * S::COLUMNS..][..d * S::COLUMNS],
                largest: &mut largest[group * S::COLUMNS..][..S::COLUMNS],
                total: &mut total[group * S::COLUMNS..][..S::COLUMNS],
            };
            steps.score(d, key, &mut state);
            if head.hidden.mask.is_some() || !head.hidden.sees_all(begin, size, &keys) {
                head.hidden.hide(head.heads.seq_kv, begin, size, &keys, S::COLUMNS, state.weights);
            }
            if let Some(program) = &head.program {
                program.change(&queries, &keys, S::COLUMNS, state.weights);
            }
            steps.gather(d, value, &mut state);
        }
        start = keys.end;
    }
    for (index, row) in out.chunks_exact_mut(d).enumerate() {
        let (group, column) = (index / S::COLUMNS, index % S::COLUMNS);
        let total = total[index];
        // A query that sees nothing gets zeros.
        let share = if total == 0.0 { 0.0 } else { total.recip() };
        let from = &sum[group * d * S::COLUMNS..][..d * S::COLUMNS];
        for (to, at) in row.iter_mut().zip(from[column..].iter().step_by(S::COLUMNS)) {
            *to = T::narrow(at * share);
        }
    }
    for (to, (largest, total)) in lse.into_iter().flatten().zip(largest.iter().zip(&*total)) {
        // Of a query that sees nothing: so large that every weight is zero.
        *to = if *total == 0.0 { f32::MAX } else { largest + total.log2() };
    }
}

/// Queries as columns, scaled; columns beyond the last query are zero.
fn lay_out<S: Steps, T: Element>(head: &Head<T>, first: usize, left: usize, to: &mut [f32]) {
    let d = head.heads.head_dim;
    let size = left.min(S::COLUMNS);
    if size < S::COLUMNS {
        to.fill(0.0);
    }
    for (column, row) in head.query[first * d..][..size * d].chunks_exact(d).enumerate() {
        for (at, from) in to[column..].iter_mut().step_by(S::COLUMNS).zip(row) {
            *at = from.wide() * head.scale;
        }
    }
}
