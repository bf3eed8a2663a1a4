//! Attention with positions that depend on context: queries count them themselves.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use super::reference::{average, dot};
use super::sizes::{check_kv_heads, check_scores, draw, label, scores};
use crate::rows::by_rows;

/// Causal attention with contextual position encoding (CoPE: Golovneva et al., arXiv 2405.18719, section 3).
///
/// The score of query i and key j is s = q·k / √head_dim, its gate sigmoid(s): gates are made of *scaled* scores, as in the
/// program that the paper prints; its text leaves the scale out. The position p of key j is the sum of the gates of keys j
/// to i, at most positions − 1. The product q·e, *not* scaled, interpolated between rows ⌊p⌋ and ⌈p⌉ of the embedding, is
/// added to s; the softmax follows.
///
/// Inputs: `query` `[batch, heads, seq, head_dim]`, `key` and `value` `[batch, kv_heads, seq, head_dim]`, `embedding`
/// `[positions, head_dim]`, shared by all heads, of a size that makes q·e of order one.
pub struct ContextualAttention;

/// Operations on a score, products aside: four for the sigmoid, one for the sum, five for the interpolation.
const ON_A_SCORE: f64 = 10.0;

benchbook_core::parameters! {
    /// Parameters of [`ContextualAttention`].
    pub struct ContextualAttentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// query heads
        heads: usize = 8, 1..=1 << 20;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 8, 1..=1 << 20;
        /// queries and keys of a sequence
        seq: usize = 512, 1..=1 << 20;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 20;
        /// rows of the position embedding
        positions: usize = 64, 1..=1 << 20;
    }
}

impl Problem for ContextualAttention {
    const NAME: &'static str = "contextual-attention";
    const ABOUT: &'static str = "causal attention with positions that are sums of gates between query and key (CoPE)";
    type Params = ContextualAttentionParams;

    fn presets() -> Vec<Preset> {
        let of =
            |seq: i64, positions: i64| Params::default().with("seq", seq.into()).with("positions", positions.into());
        vec![
            Preset { name: "quick", cases: vec![of(128, 64), of(512, 64)] },
            Preset { name: "default", cases: vec![of(512, 64), of(1024, 64), of(2048, 64), of(2048, 256)] },
        ]
    }

    fn ugly() -> Vec<ContextualAttentionParams> {
        let of = |batch, [heads, kv_heads, seq, head_dim, positions]: [usize; 5]| ContextualAttentionParams {
            batch,
            heads,
            kv_heads,
            seq,
            head_dim,
            positions,
        };
        vec![
            of(1, [1, 1, 1, 1, 1]),
            of(1, [1, 1, 1, 1, 1 << 20]),
            of(1, [1, 1, 17, 17, 1]),
            of(1, [3, 1, 33, 17, 5]),
            of(2, [4, 2, 67, 33, 64]),
            of(1, [2, 2, 3, 67, 130]),
        ]
    }

    fn derive(given: Params) -> Params {
        given.following("kv_heads", "heads")
    }

    fn check(params: &ContextualAttentionParams) -> Result<(), (&'static str, String)> {
        let ContextualAttentionParams { batch, heads, kv_heads, seq, .. } = *params;
        check_kv_heads(heads, kv_heads)?;
        check_scores("seq", [batch, heads, seq, seq])
    }

    fn label(params: &ContextualAttentionParams) -> String {
        let ContextualAttentionParams { batch, heads, kv_heads, seq, head_dim, positions } = *params;
        format!("b{batch} {} s{seq} d{head_dim} positions {positions}", label(heads, kv_heads))
    }

    fn inputs(params: &ContextualAttentionParams, seed: u64) -> Inputs {
        let ContextualAttentionParams { batch, heads, kv_heads, seq, head_dim, positions } = *params;
        let mut inputs = draw([batch, heads, seq, head_dim], [batch, kv_heads, seq, head_dim], seed);
        let mut embedding = Array::normal(vec![positions, head_dim], seed, 4);
        embedding.of_mut::<f32>().iter_mut().for_each(|number| *number /= (head_dim as f32).sqrt());
        inputs.insert("embedding", embedding);
        inputs
    }

    /// By plain loops; a row is one query of one head of one sequence.
    fn reference(params: &ContextualAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let ContextualAttentionParams { batch, heads, kv_heads, seq, head_dim: d, positions } = *params;
        let [query, key, value, embedding] = ["query", "key", "value", "embedding"].map(|name| inputs.numbers(name));
        let scale = 1.0 / (d as f64).sqrt();
        // What a score takes beside its products counts as much as they do.
        by_rows(vec![batch, heads, seq, d], 2 * (2 * seq + positions) * d, seed, |row| {
            let (b, h, i) = (row / (heads * seq), row / seq % heads, row % seq);
            let kv = (b * kv_heads + h / (heads / kv_heads)) * seq;
            let q = &query[row * d..][..d];
            let at: Vec<f64> = embedding.chunks_exact(d).map(|one| dot(q, one)).collect();
            let mut scores: Vec<f64> = (0..=i).map(|j| scale * dot(q, &key[(kv + j) * d..])).collect();
            let mut gates = 0.0;
            for score in scores.iter_mut().rev() {
                gates += 1.0 / (1.0 + (-*score).exp());
                let position = f64::min(gates, (positions - 1) as f64);
                let (below, above) = (position.floor(), position.ceil());
                let share = position - below;
                *score += (1.0 - share) * at[below as usize] + share * at[above as usize];
            }
            average(&scores, d, |j| &value[(kv + j) * d..])
        })
    }

    /// Products of queries, keys and values for every score that causality leaves, [`ON_A_SCORE`] operations for each of
    /// them, and the products of each query with the rows of the embedding that its sequence can reach. Every input is read
    /// once and the result is written once.
    fn work(params: &ContextualAttentionParams, dtype: DType) -> Work {
        let pairs = scores(params.seq, params.seq, true);
        let ContextualAttentionParams { batch, heads, kv_heads, seq, head_dim, positions } = *params;
        let [batch, heads, kv_heads, seq, head_dim, positions] =
            [batch, heads, kv_heads, seq, head_dim, positions].map(|size| size as f64);
        let seen = pairs * (4.0 * head_dim + ON_A_SCORE);
        let reached = 2.0 * seq * positions.min(seq + 1.0) * head_dim;
        let numbers = 2.0 * batch * (heads + kv_heads) * seq * head_dim + positions * head_dim;
        Work { flops: batch * heads * (seen + reached), bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &ContextualAttentionParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}
