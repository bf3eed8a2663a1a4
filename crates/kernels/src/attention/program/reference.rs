//! Programs by plain loops in `f64`, from their definitions.

use benchbook_core::{Inputs, Params, Reference, sample_rows};
use rayon::prelude::*;

use super::programs::{CAP, seen, slope};
use crate::attention::reference::{average, dot};

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 27;

/// Rows of the right answer; a row is one query of one head of one sequence.
pub fn program_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let [batch, heads, seq, d] = ["batch", "heads", "seq", "head_dim"].map(|name| params.size(name));
    let program = params.text("program");
    let (query, key, value) = (inputs.get("query"), inputs.get("key"), inputs.get("value"));
    let scale = 1.0 / (d as f64).sqrt();
    let rows = sample_rows(batch * heads * seq, (BUDGET / (2 * seq * d)).max(16), seed);
    let one = |row: &usize| -> Vec<f64> {
        let (head, i) = (row / seq % heads, row % seq);
        let kv = row - i;
        let mine = &query.data[row * d..][..d];
        let keys: Vec<usize> = (0..seq).filter(|j| seen(program, i, *j, seq)).collect();
        let score = |j: &usize| {
            let plain = scale * dot(mine, &key.data[(kv + j) * d..]);
            match program {
                "alibi" => plain - slope(head, heads) * (i as f64 - *j as f64),
                "softcap" => f64::from(CAP) * (plain / f64::from(CAP)).tanh(),
                _ => plain,
            }
        };
        let scores: Vec<f64> = keys.iter().map(score).collect();
        average(&scores, d, |at| &value.data[(kv + keys[at]) * d..])
    };
    let values = rows.par_iter().flat_map_iter(one).collect();
    Reference { shape: vec![batch, heads, seq, d], rows, values }
}
