//! Contextual attention by plain loops in `f64`.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

use crate::attention::reference::{average, dot};

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 26;

/// Rows of the right answer; a row is one query of one head of one sequence.
pub fn contextual_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, seq, d, positions] =
        ["batch", "heads", "kv_heads", "seq", "head_dim", "positions"].map(|name| params.size(name));
    let (query, key, value) = (inputs.get("query"), inputs.get("key"), inputs.get("value"));
    let embedding = inputs.get("embedding");
    let scale = 1.0 / (d as f64).sqrt();
    let limit = (BUDGET / ((2 * seq + positions) * d)).max(16);
    let rows = sample_rows(batch * heads * seq, limit, seed);
    let one = |row: &usize| -> Vec<f64> {
        let (b, h, i) = (row / (heads * seq), row / seq % heads, row % seq);
        let kv = (b * kv_heads + h / (heads / kv_heads)) * seq;
        let q = &query.data[row * d..][..d];
        let at: Vec<f64> = embedding.data.chunks_exact(d).map(|one| dot(q, one)).collect();
        let mut scores: Vec<f64> = (0..=i).map(|j| scale * dot(q, &key.data[(kv + j) * d..][..d])).collect();
        let mut gates = 0.0;
        for score in scores.iter_mut().rev() {
            gates += 1.0 / (1.0 + (-*score).exp());
            let position = f64::min(gates, (positions - 1) as f64);
            let (below, above) = (position.floor(), position.ceil());
            let share = position - below;
            *score += (1.0 - share) * at[below as usize] + share * at[above as usize];
        }
        average(&scores, d, |j| &value.data[(kv + j) * d..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, seq, d], rows, values }
}
