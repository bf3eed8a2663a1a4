//! What each way of leaving scores out must give, by plain loops in `f64`, from its definition.

use benchbook_core::{Inputs, Reference, sample_rows};
use benchbook_workloads::attention::SparseAttentionParams;
use benchbook_workloads::attention::reference::{average, dot};
use rayon::prelude::*;

use super::blocks::{BLOCK, count_kept};
use super::gate::Gate;
use super::methods::Method;
use super::threshold::deviations;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// A score so near its threshold, in deviations, may fall on either side in `f32`: its row is not compared.
const NEAR: f64 = 1e-4;

struct Problem<'a> {
    params: &'a SparseAttentionParams,
    query: &'a [f32],
    key: &'a [f32],
    seq: usize,
    d: usize,
    scale: f64,
}

/// Rows of what `method` must give; a row is one query of one head of one sequence. Nothing for what leaves nothing out.
pub fn sparse_rows(method: Method, params: &SparseAttentionParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    let SparseAttentionParams { batch, heads, seq, head_dim: d, sparsity, .. } = *params;
    let [query, key, value] = ["query", "key", "value"].map(|name| inputs.numbers(name));
    let problem = Problem { params, query, key, seq, d, scale: 1.0 / (d as f64).sqrt() };
    let chosen = match method {
        Method::Dense => return None,
        Method::Threshold => Vec::new(),
        _ => problem.chosen(method, batch * heads)?,
    };
    let sampled = sample_rows(batch * heads * seq, (BUDGET / (2 * seq * d)).max(16), seed);
    let one = |row: &usize| -> Option<(usize, Vec<f64>)> {
        let (unit, i) = (row / seq, row % seq);
        let mut scores = problem.scores(*row);
        if method == Method::Threshold {
            hide_low(&mut scores, i, deviations(sparsity))?;
        } else {
            let blocks = seq.div_ceil(BLOCK);
            let kept = &chosen[(unit * blocks + i / BLOCK) * blocks..][..blocks];
            for (score, place) in scores.iter_mut().zip(0..) {
                *score = if kept[place / BLOCK] { *score } else { f64::NEG_INFINITY };
            }
        }
        Some((*row, average(&scores, d, |j| &value[(unit * seq + j) * d..])))
    };
    let (rows, values): (Vec<usize>, Vec<Vec<f64>>) = sampled.par_iter().filter_map(one).unzip();
    Some(Reference::of(vec![batch, heads, seq, d], rows, values.concat()))
}

/// Hides scores below the threshold of their row, the own key `i` excepted; nothing where one is too near to tell.
fn hide_low(scores: &mut [f64], i: usize, deviations: f64) -> Option<()> {
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let deviation = (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count).sqrt();
    let least = mean + deviations * deviation;
    let near = NEAR * deviation.max(1.0);
    for (_, score) in scores.iter_mut().enumerate().filter(|(j, _)| *j != i) {
        let above = *score - least;
        if above.abs() < near {
            return None;
        }
        if above < 0.0 {
            *score = f64::NEG_INFINITY;
        }
    }
    Some(())
}

impl Problem<'_> {
    fn scores(&self, row: usize) -> Vec<f64> {
        let query = &self.query[row * self.d..][..self.d];
        let first = row / self.seq * self.seq;
        (first..first + self.seq).map(|j| self.scale * dot(query, &self.key[j * self.d..])).collect()
    }

    /// Which pairs of blocks are kept, `[units, blocks, blocks]`; nothing where there is no gate.
    fn chosen(&self, method: Method, units: usize) -> Option<Vec<bool>> {
        let sparsity = self.params.sparsity;
        let gate = if method == Method::Learned { Some(Gate::of(self.params).ok()?) } else { None };
        let blocks = self.seq.div_ceil(BLOCK);
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for unit in 0..units {
            let pooled = |array: &[f32]| -> Vec<[Vec<f64>; 3]> {
                (0..blocks).map(|block| self.pooled(array, unit, block)).collect()
            };
            let (queries, keys) = (pooled(self.query), pooled(self.key));
            for [query, ..] in &queries {
                let worth = |[mean, most, least]: &[Vec<f64>; 3]| match &gate {
                    Some(gate) => gate.worth(query, [mean, most, least]),
                    None => query.iter().zip(mean).map(|(query, key)| self.scale * query * key).sum(),
                };
                rows.push(keys.iter().map(worth).collect());
            }
        }
        if method == Method::Adaptive {
            for row in &mut rows {
                let total: f64 = row.iter().map(|worth| worth.exp()).sum();
                let best = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                // The best of a row is never left out.
                row.iter_mut().for_each(|worth| *worth = if *worth == best { 2.0 } else { worth.exp() / total });
            }
            return Some(best(&rows.concat(), sparsity));
        }
        Some(rows.iter().flat_map(|row| best(row, sparsity)).collect())
    }

    /// Mean, largest and smallest of the rows of a block.
    fn pooled(&self, array: &[f32], unit: usize, block: usize) -> [Vec<f64>; 3] {
        let rows = block * BLOCK..self.seq.min((block + 1) * BLOCK);
        let count = rows.len() as f64;
        let column = |column: usize| {
            let numbers: Vec<f64> =
                rows.clone().map(|row| f64::from(array[(unit * self.seq + row) * self.d + column])).collect();
            let (most, least) = (numbers.iter().copied().reduce(f64::max), numbers.iter().copied().reduce(f64::min));
            [numbers.iter().sum::<f64>() / count, most.unwrap_or_default(), least.unwrap_or_default()]
        };
        let columns: Vec<[f64; 3]> = (0..self.d).map(column).collect();
        [0, 1, 2].map(|which| columns.iter().map(|column| column[which]).collect())
    }
}

/// Marks those that are worth most.
fn best(worth: &[f64], sparsity: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..worth.len()).collect();
    order.sort_by(|a, b| worth[*b].total_cmp(&worth[*a]));
    let mut kept = vec![false; worth.len()];
    order[..count_kept(worth.len(), sparsity)].iter().for_each(|place| kept[*place] = true);
    kept
}
