//! A block of queries of one head against all the keys that they see.

use super::Heads;
use super::score_mod::Running;
use super::step::{KEYS, LOWEST, State};
use crate::memory::Element;

/// Registers' worth of queries in a block: more reuse each tile of keys while it is in the cache.
pub const GROUPS: usize = 4;

/// One head's slices and what its queries see.
pub struct Head<'a, T> {
    pub heads: &'a Heads,
    /// `[seq_q, head_dim]`
    pub query: &'a [T],
    /// `[seq_kv, head_dim]`
    pub key: &'a [T],
    /// `[seq_kv, …]`
    pub value: &'a [T],
    /// Numbers of a value, and from one value to the next.
    pub of_value: [usize; 2],
    /// Times log₂ e: weights are powers of two.
    pub scale: f32,
    pub hidden: Hidden<'a>,
    pub score_mod: Option<Running<'a>>,
}

/// The arithmetic of an instruction set.
pub trait Steps {
    /// Queries side by side: two registers' lanes.
    const COLUMNS: usize;

    /// `scores[row] = Σ key[row, step] · query[step]`: rows of `head_dim` against [`Self::COLUMNS`] columns; see
    /// [`super::step::score`].
    fn score(&self, head_dim: usize, key: &[f32], query: &[f32], scores: &mut [f32]);

    /// Weights and sums of one tile, of which `of_value` is [`Head::of_value`]; see [`super::step::soften`] and
    /// [`super::step::gather`].
    fn gather(&self, of_value: [usize; 2], value: &[f32], state: &mut State);
}

/// Numbers of scratch for a block: queries, weights, sums, largest scores, totals, widened keys and values.
pub fn lengths<T: Element>(columns: usize, head_dim: usize, [value_dim, apart]: [usize; 2]) -> [usize; 7] {
    let all = GROUPS * columns;
    let tile = |each: usize| if T::WIDENED { KEYS * each } else { 0 };
    [all * head_dim, KEYS * columns, all * value_dim, all, all, tile(head_dim), tile(apart)]
}

/// What queries have gathered, a column a query.
pub struct Gathered<'a> {
    /// `[groups, value_dim, columns]`: weighted sums of values.
    pub sum: &'a mut [f32],
    /// `[groups, columns]`: largest scores.
    pub largest: &'a mut [f32],
    /// `[groups, columns]`: sums of weights.
    pub total: &'a mut [f32],
}

impl<'a> Gathered<'a> {
    /// Nothing yet.
    pub fn new(sum: &'a mut [f32], largest: &'a mut [f32], total: &'a mut [f32]) -> Self {
        sum.fill(0.0);
        largest.fill(LOWEST);
        total.fill(0.0);
        Self { sum, largest, total }
    }
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
    let (d, [value_dim, _]) = (head.heads.head_dim, head.of_value);
    let count = out.len() / value_dim;
    let [query, weights, sum, largest, total, key_room, value_room] = parts;
    let groups = count.div_ceil(S::COLUMNS);
    let query = &mut query[..groups * d * S::COLUMNS];
    lay_out(&head.query[first * d..][..count * d], d, S::COLUMNS, head.scale, query);
    let mut gathered = Gathered::new(&mut sum[..groups * value_dim * S::COLUMNS], largest, total);
    gather(steps, head, [first, count], query, &mut gathered, [weights, key_room, value_room]);
    let Gathered { sum, largest, total } = gathered;
    average::<T>(value_dim, S::COLUMNS, sum, total, out);
    for (to, (largest, total)) in lse.into_iter().flatten().zip(largest.iter().zip(&*total)) {
        // Of a query that sees nothing: so large that every weight is zero.
        *to = if *total == 0.0 { f32::MAX } else { largest + total.log2() };
    }
}

/// Adds what the keys of a head give `count` queries from `first` on, which lie in `query` as [`lay_out`] puts them.
pub fn gather<S: Steps, T: Element>(
    steps: &S,
    head: &Head<T>,
    [first, count]: [usize; 2],
    query: &[f32],
    gathered: &mut Gathered,
    [weights, key_room, value_room]: [&mut [f32]; 3],
) {
    let (d, [value_dim, apart]) = (head.heads.head_dim, head.of_value);
    let seen = head.hidden.range(head.heads, first, count);
    let mut start = seen.start;
    while start < seen.end {
        let keys = start..seen.end.min(start + KEYS);
        let key = T::tile(&head.key[start * d..keys.end * d], key_room);
        let value = T::tile(&head.value[start * apart..keys.end * apart], value_room);
        for group in 0..count.div_ceil(S::COLUMNS) {
            let begin = first + group * S::COLUMNS;
            let size = S::COLUMNS.min(first + count - begin);
            let visible = head.hidden.range(head.heads, begin, size);
            let queries = begin..begin + size;
            let left_out = head.score_mod.is_some_and(|score_mod| !score_mod.visits(&queries, &keys));
            if left_out || visible.end <= keys.start || keys.end <= visible.start {
                continue;
            }
            let mut state = State {
                weights: &mut weights[..keys.len() * S::COLUMNS],
                sum: &mut gathered.sum[group * value_dim * S::COLUMNS..][..value_dim * S::COLUMNS],
                largest: &mut gathered.largest[group * S::COLUMNS..][..S::COLUMNS],
                total: &mut gathered.total[group * S::COLUMNS..][..S::COLUMNS],
            };
            steps.score(d, key, &query[group * d * S::COLUMNS..][..d * S::COLUMNS], state.weights);
            if head.hidden.mask.is_some() || !head.hidden.sees_all(begin, size, &keys) {
                head.hidden.hide(head.heads.seq_kv, begin, size, &keys, S::COLUMNS, state.weights);
            }
            if let Some(score_mod) = &head.score_mod {
                score_mod.change(&queries, &keys, S::COLUMNS, state.weights);
            }
            steps.gather(head.of_value, value, &mut state);
        }
        start = keys.end;
    }
}

/// The rows of `out` from weighted sums `[groups, d, columns]` and sums of weights `[groups, columns]`.
pub fn average<T: Element>(d: usize, columns: usize, sum: &[f32], total: &[f32], out: &mut [T]) {
    for (index, (row, total)) in out.chunks_exact_mut(d).zip(total).enumerate() {
        // A query that sees nothing gets zeros.
        let share = if *total == 0.0 { 0.0 } else { total.recip() };
        let from = &sum[index / columns * columns * d + index % columns..];
        for (to, at) in row.iter_mut().zip(from.iter().step_by(columns)) {
            *to = T::narrow(at * share);
        }
    }
}

/// Rows of `d` as columns, times `scale`: `[groups, d, columns]`, zero beyond the last row.
pub fn lay_out<T: Element>(from: &[T], d: usize, columns: usize, scale: f32, to: &mut [f32]) {
    if from.len() < to.len() {
        to.fill(0.0);
    }
    for (index, row) in from.chunks_exact(d).enumerate() {
        let to = &mut to[index / columns * columns * d + index % columns..];
        to.iter_mut().step_by(columns).zip(row).for_each(|(to, from)| *to = from.wide() * scale);
    }
}

/// The keys that queries see: by causality, a window, a mask, or all of them together.
#[derive(Debug, Clone, Copy)]
pub struct Hidden<'a> {
    pub causal: bool,
    pub window: Option<usize>,
    pub mask: Option<&'a [bool]>,
    /// Position of query 0 among the keys: the last query sees the last key.
    pub offset: isize,
    /// Queries that stand at the same position, one after another.
    pub together: usize,
}

impl Hidden<'_> {
    /// The position of a query among the keys.
    fn position(&self, query: usize) -> isize {
        (query / self.together) as isize + self.offset
    }

    /// Keys that at least one query of `first..first + count` may see.
    pub fn range(&self, heads: &Heads, first: usize, count: usize) -> std::ops::Range<usize> {
        let last = self.position(first + count - 1);
        let end = if self.causal { (last + 1).clamp(0, heads.seq_kv as isize) as usize } else { heads.seq_kv };
        let start = self.window.map_or(0, |window| (self.position(first) + 1 - window as isize).max(0) as usize);
        start.min(end)..end
    }

    /// Whether every query of `first..first + count` sees every key of `keys`, mask aside.
    pub fn sees_all(&self, first: usize, count: usize, keys: &std::ops::Range<usize>) -> bool {
        let last = self.position(first + count - 1);
        let causal = !self.causal || keys.end as isize - 1 <= self.position(first);
        let window = self.window.is_none_or(|window| keys.start as isize > last - window as isize);
        causal && window
    }

    /// Gives hidden keys a score that has no weight: `scores` is `[keys, columns]`, a column a query from `first` on.
    pub fn hide(
        &self,
        seq_kv: usize,
        first: usize,
        size: usize,
        keys: &std::ops::Range<usize>,
        columns: usize,
        scores: &mut [f32],
    ) {
        let count = keys.len() as isize;
        for query in first..first + size {
            let column = query - first;
            // The first row that it may see, and the first behind those.
            let at = self.position(query) - keys.start as isize;
            let start = self.window.map_or(0, |window| (at + 1 - window as isize).clamp(0, count)) as usize;
            let end = if self.causal { (at + 1).clamp(0, count) as usize } else { keys.len() };
            for row in (0..start).chain(end..keys.len()) {
                scores[row * columns + column] = f32::NEG_INFINITY;
            }
            let Some(mask) = self.mask else { continue };
            let mask = &mask[query * seq_kv + keys.start..][..keys.len()];
            for (row, _) in mask.iter().enumerate().filter(|(_, hidden)| **hidden) {
                scores[row * columns + column] = f32::NEG_INFINITY;
            }
        }
    }
}
