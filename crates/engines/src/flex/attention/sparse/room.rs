//! Memory for a choice, kept between calls: a timed call allocates none.

use benchbook_simd::Heads;
use rayon::prelude::*;

/// Queries, and keys, of a block: a multiple of what any instruction set has side by side, and a tile of keys.
pub const BLOCK: usize = 64;

/// What is pooled from a block: of queries the mean, of keys mean, largest and smallest.
pub const POOLS: usize = 3;

/// What a choice of blocks works with.
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
