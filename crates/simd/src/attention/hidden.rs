//! Which keys a query does not see.

use super::Heads;

/// The keys that queries see: by causality, a window, a mask, or all of them together.
#[derive(Debug, Clone, Copy)]
pub struct Hidden<'a> {
    pub causal: bool,
    pub window: Option<usize>,
    pub mask: Option<&'a [bool]>,
    /// Position of query 0 among the keys: the last query sees the last key.
    pub offset: isize,
}

impl Hidden<'_> {
    /// Keys that at least one query of `first..first + count` may see.
    pub fn range(&self, heads: &Heads, first: usize, count: usize) -> std::ops::Range<usize> {
        let at = |query: usize| query as isize + self.offset;
        let last = at(first + count - 1);
        let end = if self.causal { (last + 1).clamp(0, heads.seq_kv as isize) as usize } else { heads.seq_kv };
        let start = self.window.map_or(0, |window| (at(first) + 1 - window as isize).max(0) as usize);
        start.min(end)..end
    }

    /// Whether every query of `first..first + count` sees every key of `keys`, mask aside.
    pub fn sees_all(&self, first: usize, count: usize, keys: &std::ops::Range<usize>) -> bool {
        let at = |query: usize| query as isize + self.offset;
        let causal = !self.causal || keys.end as isize - 1 <= at(first);
        let window = self.window.is_none_or(|window| keys.start as isize > at(first + count - 1) - window as isize);
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
        for (row, key) in keys.clone().enumerate() {
            for (column, score) in scores[row * columns..][..size].iter_mut().enumerate() {
                let query = first + column;
                let (at, place) = (query as isize + self.offset, key as isize);
                let late = self.causal && place > at;
                let old = self.window.is_some_and(|window| place <= at - window as isize);
                let masked = self.mask.is_some_and(|mask| mask[query * seq_kv + key]);
                if late || old || masked {
                    *score = f32::NEG_INFINITY;
                }
            }
        }
    }
}
