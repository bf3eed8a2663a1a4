//! Paged decoding by plain loops in `f64`.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer; a row is one head of one sequence.
pub fn paged_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, context, head_dim, block] =
        ["batch", "heads", "kv_heads", "context", "head_dim", "block"].map(|name| params.size(name));
    let of = |name: &str| &inputs.get(name).data[..];
    let (query, keys, values) = (of("query"), of("key_pool"), of("value_pool"));
    let (table, lengths) = (of("table"), of("lengths"));
    let scale = 1.0 / (head_dim as f64).sqrt();
    let rows = sample_rows(batch * heads, (BUDGET / (2 * context * head_dim)).max(4), seed);
    let one = |row: &usize| -> Vec<f64> {
        let (sequence, head) = (row / heads, row % heads / (heads / kv_heads));
        let entries = table.len() / batch;
        let place = |key: usize| {
            let owned = table[sequence * entries + key / block] as usize;
            ((owned * kv_heads + head) * block + key % block) * head_dim
        };
        let places: Vec<usize> = (0..lengths[sequence] as usize).map(place).collect();
        let mine = &query[row * head_dim..][..head_dim];
        let score = |place: &usize| {
            let pairs = mine.iter().zip(&keys[*place..][..head_dim]);
            scale * pairs.map(|(query, key)| f64::from(*query) * f64::from(*key)).sum::<f64>()
        };
        let scores: Vec<f64> = places.iter().map(score).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        let column = |column: usize| {
            let all = places.iter().zip(&weights);
            all.map(|(place, weight)| weight * f64::from(values[place + column])).sum::<f64>() / total
        };
        (0..head_dim).map(column).collect()
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, 1, head_dim], rows, values }
}
