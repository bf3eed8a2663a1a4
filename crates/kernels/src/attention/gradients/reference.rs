//! Gradients by plain loops in `f64`, from the definition.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

use crate::attention::reference::dot;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of key heads is computed, whole.
const BUDGET: usize = 1 << 28;

/// Rows of the right gradients; a row is one query, key or value of one head of one sequence.
pub fn gradient_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let sizes = ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"].map(|name| params.size(name));
    let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] = sizes;
    let (group, units) = (heads / kv_heads, batch * kv_heads);
    // A key's gradient needs every query: so whole key heads, each with its query heads.
    let limit = (BUDGET / (5 * group * seq_q * seq_kv * head_dim)).max(1);
    let chosen = if limit < units { sample_rows(units, limit, seed) } else { (0..units).collect() };
    let causal = params.flag("causal");
    let solved: Vec<[Vec<f64>; 3]> = chosen.par_iter().map(|unit| one(sizes, causal, inputs, *unit)).collect();
    let (queries, keys) = (batch * heads * seq_q, units * seq_kv);
    let part = |offset: usize, length: usize, which: usize| {
        let rows = chosen.iter().flat_map(move |unit| (0..length).map(move |row| offset + unit * length + row));
        let values = solved.iter().flat_map(move |gradients| gradients[which].iter().copied());
        (rows.collect::<Vec<_>>(), values.collect::<Vec<_>>())
    };
    let parts = [part(0, group * seq_q, 0), part(queries, seq_kv, 1), part(queries + keys, seq_kv, 2)];
    let rows = parts.iter().flat_map(|(rows, _)| rows.iter().copied()).collect();
    let values = parts.iter().flat_map(|(_, values)| values.iter().copied()).collect();
    Reference { shape: vec![queries + 2 * keys, head_dim], rows, values }
}

/// Gradients of the query heads of a key head, of its keys, and of its values.
fn one(
    [_, heads, kv_heads, seq_q, seq_kv, d]: [usize; 6],
    causal: bool,
    inputs: &Inputs,
    unit: usize,
) -> [Vec<f64>; 3] {
    let group = heads / kv_heads;
    let of = |name: &str, row: usize| &inputs.get(name).data[row * d..][..d];
    let scale = 1.0 / (d as f64).sqrt();
    let mut gradients = [vec![0.0; group * seq_q * d], vec![0.0; seq_kv * d], vec![0.0; seq_kv * d]];
    let [query_grad, key_grad, value_grad] = &mut gradients;
    for row in 0..group * seq_q {
        let (query, grad) = (of("query", unit * group * seq_q + row), of("grad", unit * group * seq_q + row));
        let visible = if causal { row % seq_q + 1 + seq_kv - seq_q } else { seq_kv };
        let scores: Vec<f64> = (0..visible).map(|j| scale * dot(query, of("key", unit * seq_kv + j))).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp() / total).collect();
        let slopes: Vec<f64> = (0..visible).map(|j| dot(grad, of("value", unit * seq_kv + j))).collect();
        // The softmax's own gradient: each slope beside their weighted mean.
        let mean: f64 = weights.iter().zip(&slopes).map(|(weight, slope)| weight * slope).sum();
        for (j, (weight, slope)) in weights.iter().zip(&slopes).enumerate() {
            let of_score = weight * (slope - mean) * scale;
            let key = of("key", unit * seq_kv + j);
            for column in 0..d {
                query_grad[row * d + column] += of_score * f64::from(key[column]);
                key_grad[j * d + column] += of_score * f64::from(query[column]);
                value_grad[j * d + column] += weight * f64::from(grad[column]);
            }
        }
    }
    gradients
}
