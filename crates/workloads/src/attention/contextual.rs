//! Attention with positions that depend on context: queries count them themselves.

use benchbook_core::{
    DType, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};
use rayon::prelude::*;

use super::reference::{average, dot};
use super::sizes::{check_kv_heads, check_scores, check_sizes, follow};

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

const SIZES: [&str; 6] = ["batch", "heads", "kv_heads", "seq", "head_dim", "positions"];

/// Operations on a score, products aside: four for the sigmoid, one for the sum, five for the interpolation.
const ON_A_SCORE: f64 = 10.0;

impl Workload for ContextualAttention {
    fn name(&self) -> &'static str {
        "contextual-attention"
    }

    fn about(&self) -> &'static str {
        "causal attention with positions that are sums of gates between query and key (CoPE)"
    }

    fn params(&self) -> Vec<ParamSpec> {
        vec![
            ParamSpec::int("batch", 1, "sequences in the batch"),
            ParamSpec::int("heads", 8, "query heads"),
            ParamSpec::int("kv_heads", 8, "key and value heads; follows heads unless set"),
            ParamSpec::int("seq", 512, "queries and keys of a sequence"),
            ParamSpec::int("head_dim", 64, "width of a head"),
            ParamSpec::int("positions", 64, "rows of the position embedding"),
        ]
    }

    fn presets(&self) -> Vec<Preset> {
        let of = |seq: i64, positions: i64| {
            Params::default().with("seq", Value::Int(seq)).with("positions", Value::Int(positions))
        };
        vec![
            Preset { name: "quick", cases: vec![of(128, 64), of(512, 64)] },
            Preset { name: "default", cases: vec![of(512, 64), of(1024, 64), of(2048, 64), of(2048, 256)] },
        ]
    }

    fn derive(&self, given: Params) -> Params {
        follow(given, "kv_heads", "heads")
    }

    fn check(&self, params: &Params) -> Result<()> {
        check_sizes(self.name(), params, &SIZES, 1 << 20)?;
        check_kv_heads(self.name(), params)?;
        check_scores(self.name(), params, ["batch", "heads", "seq", "seq"])
    }

    fn case_name(&self, params: &Params) -> String {
        let [batch, heads, kv_heads, seq, head_dim, positions] = SIZES.map(|name| params.int(name));
        let kv = if kv_heads == heads { String::new() } else { format!(" kv{kv_heads}") };
        format!("b{batch} h{heads}{kv} s{seq} d{head_dim} positions {positions}")
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let [batch, heads, kv_heads, seq, head_dim, positions] = SIZES.map(|name| params.size(name));
        let mut inputs = Inputs::default();
        for (stream, (name, heads)) in
            [("query", heads), ("key", kv_heads), ("value", kv_heads)].into_iter().enumerate()
        {
            let shape = vec![batch, heads, seq, head_dim];
            inputs.0.insert(name, HostArray::normal(shape, seed, stream as u64 + 1));
        }
        let mut embedding = HostArray::normal(vec![positions, head_dim], seed, 4);
        embedding.data.iter_mut().for_each(|number| *number /= (head_dim as f32).sqrt());
        inputs.0.insert("embedding", embedding);
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        contextual_rows(params, inputs, seed)
    }

    /// Products of queries, keys and values for every score that causality leaves, [`ON_A_SCORE`] operations for each of
    /// them, and the products of each query with the rows of the embedding that its sequence can reach. Every input is read
    /// once and the result is written once.
    fn work(&self, params: &Params, dtype: DType) -> Work {
        let [batch, heads, kv_heads, seq, head_dim, positions] = SIZES.map(|name| params.int(name) as f64);
        let seen = seq * (seq + 1.0) / 2.0 * (4.0 * head_dim + ON_A_SCORE);
        let reached = 2.0 * seq * positions.min(seq + 1.0) * head_dim;
        let numbers = 2.0 * batch * (heads + kv_heads) * seq * head_dim + positions * head_dim;
        Work { flops: batch * heads * (seen + reached), bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(&self, _params: &Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Multiply-adds spent on a reference at most; above it, a seeded subset of rows is computed.
const BUDGET: usize = 1 << 26;

/// Rows of the right answer; a row is one query of one head of one sequence.
fn contextual_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
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
