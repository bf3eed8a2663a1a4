//! Attention with its projections by plain loops in `f64`.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

/// Multiply-adds spent on keys and values, and as many on rows; above it, seeded subsets of sequences and of their rows are
/// computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer; a row is one position of one sequence.
///
/// A row needs the keys and values of its whole sequence, which cost seq · hidden · kv_heads · head_dim twice: those of the
/// first and the last sequence are always computed.
pub fn projected_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, seq, d] =
        ["batch", "heads", "kv_heads", "seq", "head_dim"].map(|name| params.size(name));
    let (hidden, kv) = (heads * d, kv_heads * d);
    let of = |name: &str| &inputs.get(name).data[..];
    let input = of("input");
    let sequences = sample_rows(batch, (BUDGET / (2 * seq * hidden * kv)).max(1), seed);
    let limit = (BUDGET / (2 * hidden * (hidden + seq))).max(16);
    let rows: Vec<usize> = sample_rows(sequences.len() * seq, limit, seed);

    // Of the sequences that were chosen, one after another: `[sequences, seq, kv_heads, head_dim]`.
    let project = |weights: &[f32]| -> Vec<f64> {
        let one = |at: usize| {
            let row = sequences[at / seq] * seq + at % seq;
            times(input[row * hidden..][..hidden].iter().map(|x| f64::from(*x)), weights, kv)
        };
        (0..sequences.len() * seq).into_par_iter().flat_map_iter(one).collect()
    };
    let (keys, values) = (project(of("w_key")), project(of("w_value")));

    let one = |at: &usize| -> Vec<f64> {
        let (sequence, i) = (at / seq, at % seq);
        let row = sequences[sequence] * seq + i;
        let query = times(input[row * hidden..][..hidden].iter().map(|x| f64::from(*x)), of("w_query"), hidden);
        let seen = if params.flag("causal") { i + 1 } else { seq };
        let gathered = query.chunks_exact(d).enumerate().flat_map(|(head, query)| {
            let place = |j: usize| (sequence * seq + j) * kv + head / (heads / kv_heads) * d;
            let score = |j: usize| {
                let pairs = query.iter().zip(&keys[place(j)..]);
                pairs.map(|(query, key)| query * key).sum::<f64>() / (d as f64).sqrt()
            };
            let scores: Vec<f64> = (0..seen).map(score).collect();
            average(&scores, d, |j| &values[place(j)..])
        });
        times(gathered, of("w_out"), hidden)
    };
    let found = rows.par_iter().flat_map_iter(one).collect();
    let rows = rows.into_iter().map(|at| sequences[at / seq] * seq + at % seq).collect();
    Reference { shape: vec![batch, seq, hidden], rows, values: found }
}

/// A row times `weights` `[_, columns]`.
fn times(row: impl Iterator<Item = f64>, weights: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for (left, right) in row.zip(weights.chunks_exact(columns)) {
        sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += left * f64::from(*right));
    }
    sums
}

/// Values weighted by the softmax of their scores: `value(j)` begins with the `head_dim` numbers of value `j`.
fn average<'a>(scores: &[f64], head_dim: usize, value: impl Fn(usize) -> &'a [f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
    let mut sums = vec![0.0; head_dim];
    for (j, score) in scores.iter().enumerate() {
        let weight = (score - largest).exp() / total;
        sums.iter_mut().zip(value(j)).for_each(|(sum, number)| *sum += weight * number);
    }
    sums
}
