//! Which worker holds which part of the sequence.

use std::ops::Range;

/// How the sequence is dealt out to the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Worker `i` holds the `i`-th part of the sequence (Liu et al., arXiv 2310.01889, section 3).
    Contiguous,
    /// Worker `i` holds parts `i` and `2 · workers − 1 − i` of twice as many: under causality all have the same work
    /// (Llama 3, arXiv 2407.21783, section 3.3.2; to the same end as the stripes of Brandon et al., arXiv 2311.09431).
    Zigzag,
}

/// Sizes of one attention over a ring of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Queries, and keys, of the whole sequence.
    pub seq: usize,
    /// Numbers of one query, key or value.
    pub head_dim: usize,
    /// Workers that the sequence is split over: 1 to `seq`.
    pub workers: usize,
    /// Whether a query sees no key after its own position.
    pub causal: bool,
    /// How the sequence is dealt out.
    pub layout: Layout,
}

impl Ring {
    /// Positions that a worker holds; two workers differ by one at most.
    pub fn shard(&self, worker: usize) -> usize {
        self.bound(worker + 1) - self.bound(worker)
    }

    /// Positions of the longest shard: seq / workers, rounded up.
    pub fn longest(&self) -> usize {
        self.seq.div_ceil(self.workers)
    }

    /// The parts of the sequence that a worker holds, in the order in which they lie in its memory. Parts of two
    /// workers never overlap; an empty one is left out.
    pub fn pieces(&self, worker: usize) -> Vec<Range<usize>> {
        let pieces = match self.layout {
            Layout::Contiguous => vec![self.bound(worker)..self.bound(worker + 1)],
            Layout::Zigzag => {
                let front = |worker: usize| self.shard(worker) / 2;
                let back = |worker: usize| self.shard(worker) - front(worker);
                let start = (0..worker).map(front).sum();
                let end = self.seq - (0..worker).map(back).sum::<usize>();
                vec![start..start + front(worker), end - back(worker)..end]
            }
        };
        pieces.into_iter().filter(|piece| !piece.is_empty()).collect()
    }

    /// Which of `rows` of an array `[heads, seq, head_dim]` a worker holds, in runs, each with the place of its first row in
    /// the worker's own `[heads, shard, head_dim]`.
    pub fn held(&self, worker: usize, rows: &Range<usize>) -> Vec<(usize, Range<usize>)> {
        let mut held = Vec::new();
        let pieces = self.pieces(worker);
        for head in rows.start / self.seq..rows.end.div_ceil(self.seq) {
            let mut place = head * self.shard(worker);
            for piece in &pieces {
                let [start, end] = [piece.start, piece.end].map(|position| head * self.seq + position);
                let run = start.max(rows.start)..end.min(rows.end);
                if !run.is_empty() {
                    held.push((place + run.start - start, run));
                }
                place += piece.len();
            }
        }
        held
    }

    fn bound(&self, worker: usize) -> usize {
        self.seq * worker / self.workers
    }
}

/// The rows of `pieces` of every head of `array` `[heads, seq, head_dim]`, added to `to` as `[heads, shard, head_dim]`.
pub fn cut(array: &[f32], [seq, head_dim]: [usize; 2], pieces: &[Range<usize>], to: &mut Vec<f32>) {
    for head in array.chunks_exact(seq * head_dim) {
        for piece in pieces {
            to.extend_from_slice(&head[piece.start * head_dim..piece.end * head_dim]);
        }
    }
}

/// The reverse of [`cut`]: puts `rows` `[heads, shard, head_dim]` back into their places in `array`.
pub fn place(rows: &[f32], [seq, head_dim]: [usize; 2], pieces: &[Range<usize>], array: &mut [f32]) {
    let mut rest = rows;
    for head in array.chunks_exact_mut(seq * head_dim) {
        for piece in pieces {
            let (mine, others) = rest.split_at(piece.len() * head_dim);
            head[piece.start * head_dim..piece.end * head_dim].copy_from_slice(mine);
            rest = others;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(seq: usize, workers: usize, layout: Layout) -> Ring {
        Ring { heads: 2, kv_heads: 1, seq, head_dim: 3, workers, causal: true, layout }
    }

    #[test]
    fn every_position_has_one_place() {
        for layout in [Layout::Contiguous, Layout::Zigzag] {
            for seq in 1..40 {
                for workers in 1..=seq {
                    let ring = ring(seq, workers, layout);
                    let array: Vec<f32> = (0..2 * seq * 3).map(|number| number as f32).collect();
                    let mut back = vec![-1.0; array.len()];
                    let mut longest = 0;
                    for worker in 0..workers {
                        let pieces = ring.pieces(worker);
                        assert_eq!(pieces.iter().map(Range::len).sum::<usize>(), ring.shard(worker));
                        longest = longest.max(ring.shard(worker));
                        let mut rows = Vec::new();
                        cut(&array, [seq, 3], &pieces, &mut rows);
                        assert_eq!(rows.len(), 2 * 3 * ring.shard(worker));
                        place(&rows, [seq, 3], &pieces, &mut back);
                        let held = ring.held(worker, &(1..2 * seq));
                        let first_row = usize::from(pieces.first().is_some_and(|piece| piece.start == 0));
                        assert_eq!(held.iter().map(|(_, run)| run.len()).sum::<usize>(), rows.len() / 3 - first_row);
                        for (place, run) in held {
                            assert_eq!(rows[place * 3..][..run.len() * 3], array[run.start * 3..run.end * 3]);
                        }
                    }
                    assert_eq!((longest, &back), (ring.longest(), &array), "{ring:?}");
                }
            }
        }
    }

    #[test]
    fn zigzag_shares_causal_work_evenly() {
        let seen = |layout, worker| -> usize {
            ring(64, 4, layout).pieces(worker).into_iter().flatten().map(|query| query + 1).sum()
        };
        assert_eq!([0, 1, 2, 3].map(|worker| seen(Layout::Zigzag, worker)), [520; 4]);
        assert_eq!([0, 3].map(|worker| seen(Layout::Contiguous, worker)), [136, 904]);
    }
}
