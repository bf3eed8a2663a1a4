//! Which pairs of blocks are computed, and what is pooled to choose them.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use benchbook_simd::{Attend, Heads, Place, ScoreMod};
use rayon::prelude::*;

use super::gate::Gate;
use crate::flex::fused::Select;

/// How pairs of blocks are chosen.
#[derive(Debug, Clone)]
pub enum Choice {
    /// For every block of queries as many key blocks, those with the largest product of means (the estimate of block-sparse
    /// heads in MInference: Jiang et al., arXiv 2407.02490, section 3.2).
    Means,
    /// As many for all together: the pairs with the largest estimated share of their queries' attention, so that sharp heads
    /// get less and flat ones more (the idea of FlexPrefill: Lai et al., arXiv 2502.20766, section 3).
    Shares,
    /// As `Means`, by a gate that was trained (SeerAttention: Gao et al., arXiv 2410.13276, section 3).
    Gate(Arc<Gate>),
}

/// Chooses pairs of blocks of [`BLOCK`] queries and keys by means over the blocks, in `f64`.
pub struct Blocks {
    /// How.
    pub choice: Choice,
    /// Share of the pairs to leave out.
    pub sparsity: f64,
    /// Memory, kept between calls.
    pub room: Mutex<Room>,
}

impl Blocks {
    /// Chooses for a call and gives `then` what was kept.
    pub fn choose<R>(&self, call: &Attend, then: impl FnOnce(&[bool]) -> R) -> R {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let room = &mut *room;
        room.pool(&call.heads, call.query, call.key);
        let d = call.heads.head_dim;
        let blocks = call.heads.seq_kv.div_ceil(BLOCK);
        let Room { query, turned, key, worth, .. } = &mut *room;
        let (query, width) = match &self.choice {
            Choice::Gate(gate) => {
                let pairs = turned.par_chunks_mut(POOLS * d).zip(query.par_chunks(d));
                pairs.for_each(|(to, query)| gate.project(query, to));
                (&*turned, POOLS * d)
            }
            _ => (&*query, d),
        };
        let scale = 1.0 / (d as f64).sqrt();
        let units = worth.par_chunks_mut(blocks * blocks).zip(query.par_chunks(blocks * width));
        units.zip(key.par_chunks(blocks * POOLS * d)).for_each(|((worth, query), key)| {
            for (row, query) in worth.chunks_exact_mut(blocks).zip(query.chunks_exact(width)) {
                for (worth, key) in row.iter_mut().zip(key.chunks_exact(POOLS * d)) {
                    *worth = scale * query.iter().zip(key).map(|(query, key)| query * key).sum::<f64>();
                }
            }
        });
        match self.choice {
            Choice::Shares => {
                room.worth.par_chunks_mut(blocks).for_each(shares);
                keep(&room.worth, self.sparsity, &mut room.order, &mut room.kept);
            }
            _ => {
                let rows = room.order.par_chunks_mut(blocks).zip(room.kept.par_chunks_mut(blocks));
                let rows = rows.zip(room.worth.par_chunks(blocks));
                rows.for_each(|((order, kept), worth)| keep(worth, self.sparsity, order, kept));
            }
        }
        then(&room.kept)
    }
}

/// Turns worths of a row into shares of their softmax; the largest is kept in any case.
fn shares(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|worth| *worth = (*worth - largest).exp());
    let total: f64 = row.iter().sum();
    let best = row.iter().position(|weight| *weight == 1.0);
    row.iter_mut().for_each(|weight| *weight /= total);
    if let Some(best) = best {
        row[best] = f64::INFINITY;
    }
}

/// How many of `count` are kept: at least one.
pub fn count_kept(count: usize, sparsity: f64) -> usize {
    // A share such as 1 − 0.9 is not exact: what is a whole number but for rounding is that number.
    (((1.0 - sparsity) * count as f64 - 1e-9).ceil() as usize).clamp(1, count)
}

/// Marks those that are worth most, of equal ones the first.
fn keep(worth: &[f64], sparsity: f64, order: &mut [usize], kept: &mut [bool]) {
    order.iter_mut().enumerate().for_each(|(place, to)| *to = place);
    let count = count_kept(worth.len(), sparsity);
    order.select_nth_unstable_by(count - 1, |a, b| worth[*b].total_cmp(&worth[*a]).then(a.cmp(b)));
    kept.fill(false);
    order[..count].iter().for_each(|place| kept[*place] = true);
}

impl Select for Blocks {
    fn select(&self, call: &Attend, then: &mut dyn FnMut(&dyn ScoreMod)) -> benchbook_simd::Result<()> {
        let blocks = call.heads.seq_kv.div_ceil(BLOCK);
        self.choose(call, |kept| then(&Kept { kept, blocks, heads: call.heads.heads }));
        Ok(())
    }

    fn left_out(&self, call: &Attend) -> benchbook_simd::Result<[f64; 2]> {
        let share = self.choose(call, |kept| pairs(kept, call.heads.seq_kv));
        let [d, seq] = [call.heads.head_dim, call.heads.seq_kv].map(|size| size as f64);
        // Pooling reads every number; a gate turns the means of queries; then there is a product for every pair of blocks.
        let blocks = (seq / BLOCK as f64).ceil();
        let chosen = match self.choice {
            Choice::Gate(_) => 4.0 * seq * d + 2.0 * POOLS as f64 * blocks * d * (d + blocks),
            _ => 2.0 * seq * d + 2.0 * blocks * blocks * d,
        };
        Ok([share, share - chosen / (4.0 * seq * seq * d)])
    }
}

/// Share of the scores that are left out; the last block may be short.
fn pairs(kept: &[bool], seq: usize) -> f64 {
    let blocks = seq.div_ceil(BLOCK);
    let size = |block: usize| BLOCK.min(seq - block * BLOCK) as f64;
    let of = |(place, kept): (usize, &bool)| {
        if *kept { size(place / blocks % blocks) * size(place % blocks) } else { 0.0 }
    };
    let computed: f64 = kept.iter().enumerate().map(of).sum();
    1.0 - computed / ((kept.len() / (blocks * blocks)) as f64 * (seq * seq) as f64)
}

/// The pairs of blocks that are computed, as a program that changes no score.
struct Kept<'a> {
    /// `[units, blocks, blocks]`
    kept: &'a [bool],
    blocks: usize,
    heads: usize,
}

impl ScoreMod for Kept<'_> {
    fn changes(&self) -> bool {
        false
    }

    fn change(&self, _first: Place, _scores: &mut [f32]) {}

    fn visits(&self, batch: usize, head: usize, queries: &Range<usize>, keys: &Range<usize>) -> bool {
        let row = (batch * self.heads + head) * self.blocks + queries.start / BLOCK;
        self.kept[row * self.blocks + keys.start / BLOCK]
    }
}

/// Queries, and keys, of a block: a multiple of what any instruction set has side by side, and a tile of keys.
pub const BLOCK: usize = 64;

/// What is pooled from a block: of queries the mean, of keys mean, largest and smallest.
pub const POOLS: usize = 3;

/// What a choice of blocks works with, kept between calls: a timed call allocates none of it.
#[derive(Debug, Default)]
pub struct Room {
    /// `[units, blocks, head_dim]`: means of queries.
    pub query: Vec<f64>,
    /// `[units, blocks, 3 · head_dim]`: the same, as a gate has turned them.
    pub turned: Vec<f64>,
    /// `[units, blocks, 3 · head_dim]`: means, largest and smallest of keys.
    pub key: Vec<f64>,
    /// `[units, blocks of queries, blocks of keys]`: how much each is worth.
    pub worth: Vec<f64>,
    /// As long as `worth`: places in it.
    pub order: Vec<usize>,
    /// As long as `worth`: whether a pair of blocks is computed.
    pub kept: Vec<bool>,
}

impl Room {
    /// Makes room for a call and pools its blocks; `units` are heads of sequences.
    pub fn pool(&mut self, heads: &Heads, query: &[f32], key: &[f32]) {
        let (units, seq, d) = (heads.batch * heads.heads, heads.seq_kv, heads.head_dim);
        let blocks = seq.div_ceil(BLOCK);
        self.query.resize(units * blocks * d, 0.0);
        self.turned.resize(units * blocks * POOLS * d, 0.0);
        self.key.resize(units * blocks * POOLS * d, 0.0);
        let pairs = units * blocks * blocks;
        self.worth.resize(pairs, 0.0);
        self.order.resize(pairs, 0);
        self.kept.resize(pairs, false);
        let all = self.query.par_chunks_mut(blocks * d).zip(self.key.par_chunks_mut(blocks * POOLS * d)).enumerate();
        all.for_each(|(unit, (mine, its))| {
            let begin = unit * seq * d;
            for (to, rows) in mine.chunks_exact_mut(d).zip(query[begin..begin + seq * d].chunks(BLOCK * d)) {
                mean(to, rows);
            }
            for (to, rows) in its.chunks_exact_mut(POOLS * d).zip(key[begin..begin + seq * d].chunks(BLOCK * d)) {
                let (means, ends) = to.split_at_mut(d);
                mean(means, rows);
                let (most, least) = ends.split_at_mut(d);
                most.fill(f64::NEG_INFINITY);
                least.fill(f64::INFINITY);
                for row in rows.chunks_exact(d) {
                    for ((most, least), number) in most.iter_mut().zip(&mut *least).zip(row) {
                        *most = most.max(f64::from(*number));
                        *least = least.min(f64::from(*number));
                    }
                }
            }
        });
    }
}

fn mean(to: &mut [f64], rows: &[f32]) {
    to.fill(0.0);
    for row in rows.chunks_exact(to.len()) {
        to.iter_mut().zip(row).for_each(|(sum, number)| *sum += f64::from(*number));
    }
    let count = (rows.len() / to.len()) as f64;
    to.iter_mut().for_each(|sum| *sum /= count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_are_kept_and_one_at_least() {
        let worth = [1.0, 3.0, 3.0, f64::NEG_INFINITY];
        let kept = |sparsity: f64| {
            let (mut order, mut kept) = ([0; 4], [true; 4]);
            keep(&worth, sparsity, &mut order, &mut kept);
            kept
        };
        assert_eq!(kept(0.75), [false, true, false, false]);
        assert_eq!(kept(0.5), [false, true, true, false]);
        assert_eq!(kept(0.99), [false, true, false, false]);
        assert_eq!(kept(0.0), [true; 4]);
        assert_eq!((count_kept(10, 0.9), count_kept(32, 0.9), count_kept(1, 0.9)), (1, 4, 1));
    }

    #[test]
    fn a_short_last_block_counts_what_it_holds() {
        // Two blocks of 64 and 32: of 96² scores the first pair holds 64².
        let left_out = pairs(&[true, false, false, false], 96);
        assert!((left_out - (1.0 - 4096.0 / 9216.0)).abs() < 1e-15, "{left_out}");
    }
}
