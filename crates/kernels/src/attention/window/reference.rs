//! Windowed attention with rotary positions, by plain loops in `f64`.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

use super::workload::BASE;
use crate::attention::reference::average;

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 26;

/// Rows of the right answer; a row is one query of one head of one sequence.
pub fn window_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, kv_heads, seq, d, window] =
        ["batch", "heads", "kv_heads", "seq", "head_dim", "window_size"].map(|name| params.size(name));
    let (query, key, value) = (inputs.get("query"), inputs.get("key"), inputs.get("value"));
    let scale = 1.0 / (d as f64).sqrt();
    let rows = sample_rows(batch * heads * seq, (BUDGET / (4 * window.min(seq) * d)).max(16), seed);
    let one = |row: &usize| -> Vec<f64> {
        let (b, h, i) = (row / (heads * seq), row / seq % heads, row % seq);
        let kv = (b * kv_heads + h / (heads / kv_heads)) * seq;
        let seen = (i + 1).saturating_sub(window)..i + 1;
        let mine = turned(&query.data[row * d..][..d], i);
        let score = |j: usize| {
            scale * mine.iter().zip(turned(&key.data[(kv + j) * d..][..d], j)).map(|(q, k)| q * k).sum::<f64>()
        };
        let scores: Vec<f64> = seen.clone().map(score).collect();
        average(&scores, d, |j| &value.data[(kv + seen.start + j) * d..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, seq, d], rows, values }
}

/// A vector at its position: pair (i, i + d/2) turned by position · base^(−2 i / d).
fn turned(vector: &[f32], position: usize) -> Vec<f64> {
    let d = vector.len();
    let number = |index: usize| {
        let pair = index % (d / 2);
        let angle = position as f64 * BASE.powf(-2.0 * pair as f64 / d as f64);
        let (x, y) = (f64::from(vector[pair]), f64::from(vector[pair + d / 2]));
        if index < d / 2 { x * angle.cos() - y * angle.sin() } else { y * angle.cos() + x * angle.sin() }
    };
    (0..d).map(number).collect()
}
