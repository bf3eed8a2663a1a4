//! Scores that a closure changes, and tiles that it leaves out.

use std::ops::Range;

/// Where a score stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The sequence.
    pub batch: usize,
    /// The query head.
    pub head: usize,
    /// The query in its sequence.
    pub query: usize,
    /// The key in its sequence.
    pub key: usize,
}

/// What becomes of each score before the softmax, and which tiles are worth a look: the score_mod and the block mask of
/// FlexAttention (Dong et al., arXiv 2412.05496, section 3).
///
/// A closure `Fn(score, Place) -> score` is one: it gets scale · q·k, and what it gives goes into the softmax; −∞ hides the
/// key. It is called through a pointer once for every key and a register or two of queries, so a simple one is compiled
/// into vector instructions.
pub trait ScoreMod: Send + Sync {
    /// Changes the scores of one key for queries that stand side by side; `first` is the place of the first.
    fn change(&self, first: Place, scores: &mut [f32]);

    /// Whether any score is changed; where none is, `change` is never called.
    fn changes(&self) -> bool {
        true
    }

    /// Whether any of `queries` may see any of `keys`: a tile where none does is not computed. A wrong *no* is a wrong
    /// result, a wrong *yes* costs time.
    fn visits(&self, _batch: usize, _head: usize, _queries: &Range<usize>, _keys: &Range<usize>) -> bool {
        true
    }
}

impl<F: Fn(f32, Place) -> f32 + Send + Sync> ScoreMod for F {
    fn change(&self, first: Place, scores: &mut [f32]) {
        for (index, score) in scores.iter_mut().enumerate() {
            *score = self(*score, Place { query: first.query + index, ..first });
        }
    }
}

/// A closure for scores with one for tiles, the block mask.
#[derive(Debug, Clone, Copy)]
pub struct WithBlockMask<F, V> {
    /// What becomes of a score.
    pub score_mod: F,
    /// Whether any of these queries may see any of these keys, whatever sequence and head.
    pub block_mask: V,
}

impl<F, V> ScoreMod for WithBlockMask<F, V>
where
    F: Fn(f32, Place) -> f32 + Send + Sync,
    V: Fn(&Range<usize>, &Range<usize>) -> bool + Send + Sync,
{
    fn change(&self, first: Place, scores: &mut [f32]) {
        self.score_mod.change(first, scores);
    }

    fn visits(&self, _batch: usize, _head: usize, queries: &Range<usize>, keys: &Range<usize>) -> bool {
        (self.block_mask)(queries, keys)
    }
}

/// A score_mod at work on one head.
#[derive(Clone, Copy)]
pub(super) struct Running<'a> {
    pub score_mod: &'a dyn ScoreMod,
    pub batch: usize,
    pub head: usize,
}

impl Running<'_> {
    pub fn visits(&self, queries: &Range<usize>, keys: &Range<usize>) -> bool {
        self.score_mod.visits(self.batch, self.head, queries, keys)
    }

    /// Changes scores `[keys, columns]`, of which the columns of `queries` are real; they are in units of log₂ e.
    pub fn change(&self, queries: &Range<usize>, keys: &Range<usize>, columns: usize, scores: &mut [f32]) {
        if !self.score_mod.changes() {
            return;
        }
        for (key, row) in keys.clone().zip(scores.chunks_exact_mut(columns)) {
            let row = &mut row[..queries.len()];
            row.iter_mut().for_each(|score| *score *= std::f32::consts::LN_2);
            let first = Place { batch: self.batch, head: self.head, query: queries.start, key };
            self.score_mod.change(first, row);
            row.iter_mut().for_each(|score| *score *= std::f32::consts::LOG2_E);
        }
    }
}
