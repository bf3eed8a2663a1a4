//! Paged decoding by plain loops in `f64`.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

use crate::attention::reference::{average, dot};

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
        let scores: Vec<f64> = places.iter().map(|place| scale * dot(mine, &keys[*place..])).collect();
        average(&scores, head_dim, |at| &values[places[at]..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, 1, head_dim], rows, values }
}
