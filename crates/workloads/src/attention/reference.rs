//! Attention by plain loops in `f64`.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer; a row is one query of one head of one sequence.
pub fn attention_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] =
        ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"].map(|name| params.size(name));
    let (query, key, value) = (inputs.get("query"), inputs.get("key"), inputs.get("value"));
    let mask = params.flag("masked").then(|| inputs.get("mask"));
    let scale = 1.0 / (head_dim as f64).sqrt();
    let limit = (BUDGET / (2 * seq_kv * head_dim)).max(16);
    let rows = sample_rows(batch * heads * seq_q, limit, seed);

    let one = |row: &usize| -> Vec<f64> {
        let (b, h, i) = (row / (heads * seq_q), row / seq_q % heads, row % seq_q);
        let kv = (b * kv_heads + h / (heads / kv_heads)) * seq_kv;
        let visible = if params.flag("causal") { i + 1 + seq_kv - seq_q } else { seq_kv };
        let q = &query.data[row * head_dim..][..head_dim];
        let scores: Vec<f64> = (0..visible)
            .map(|j| {
                if mask.is_some_and(|mask| mask.data[(b * seq_q + i) * seq_kv + j] != 0.0) {
                    return f64::NEG_INFINITY;
                }
                let k = &key.data[(kv + j) * head_dim..][..head_dim];
                scale * dot(q, k)
            })
            .collect();
        average(&scores, head_dim, |j| &value.data[(kv + j) * head_dim..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, seq_q, head_dim], rows, values }
}

/// Values weighted by the softmax of their scores: `value(j)` begins with the `head_dim` numbers of value `j`. Where every
/// score is −∞, zeros.
pub fn average<'a>(scores: &[f64], head_dim: usize, value: impl Fn(usize) -> &'a [f32]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sums = vec![0.0; head_dim];
    if largest == f64::NEG_INFINITY {
        return sums;
    }
    let mut total = 0.0;
    for (j, score) in scores.iter().enumerate() {
        let weight = (score - largest).exp();
        total += weight;
        for (sum, number) in sums.iter_mut().zip(value(j)) {
            *sum += weight * f64::from(*number);
        }
    }
    sums.into_iter().map(|sum| sum / total).collect()
}

/// The product of two vectors.
pub fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
}
