//! What the problems of attention make of their sizes: refusals, labels, inputs, and scores.

use benchbook_core::{Array, Inputs};

/// Scores of a case at most.
const MOST_SCORES: f64 = 1e13;

/// Refuses `kv_heads` that `heads` cannot share evenly.
///
/// # Errors
/// `kv_heads` does not divide `heads`.
pub fn check_kv_heads(heads: usize, kv_heads: usize) -> Result<(), (&'static str, String)> {
    if heads.is_multiple_of(kv_heads) {
        return Ok(());
    }
    Err(("kv_heads", format!("{kv_heads} does not divide heads {heads}")))
}

/// Refuses more scores than any machine computes in a day, and names the parameter `name`.
///
/// # Errors
/// The product of batch, heads, queries and keys is over 10^13.
pub fn check_scores(name: &'static str, sizes: [usize; 4]) -> Result<(), (&'static str, String)> {
    let scores: f64 = sizes.map(|size| size as f64).iter().product();
    if scores <= MOST_SCORES {
        return Ok(());
    }
    Err((name, format!("batch × heads × queries × keys is {scores:.1e}, over 10^13 scores")))
}

/// Heads in a label: those of keys and values only where they are fewer.
pub fn label(heads: usize, kv_heads: usize) -> String {
    if kv_heads == heads { format!("h{heads}") } else { format!("h{heads} kv{kv_heads}") }
}

/// Queries, and keys and values, of these shapes, standard normal.
pub fn draw(query: [usize; 4], key: [usize; 4], seed: u64) -> Inputs {
    Inputs::from([
        ("query", Array::normal(query.into(), seed, 1)),
        ("key", Array::normal(key.into(), seed, 2)),
        ("value", Array::normal(key.into(), seed, 3)),
    ])
}

/// Scores of one head; under causality query `i` sees `i + 1 + seq_kv − seq_q` keys.
pub fn scores(seq_q: usize, seq_kv: usize, causal: bool) -> f64 {
    let [queries, keys] = [seq_q, seq_kv].map(|size| size as f64);
    if causal { queries * (keys - queries) + queries * (queries + 1.0) / 2.0 } else { queries * keys }
}
