//! Sparse attention: only a share of the scores may be computed.

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, Work};

use super::sizes::{check_scores, draw};
use super::{Attention, AttentionParams};
use crate::tolerance::tolerance_of_scores;

/// Attention `[batch, heads, seq, head_dim]` to every key, and a share of the scores that an implementation should leave
/// out.
///
/// The right answer is that of all scores. An implementation that leaves some out says which problem it solves instead and
/// is checked against that; its distance from the right answer is its metric `relative_error`.
/// Inputs: `query`, `key`, `value`. With the structure `topics` a query's weight lies on few keys, as in trained models;
/// with `random` it is spread, and nothing can be left out without loss.
pub struct SparseAttention;

/// Topics of a head.
const TOPICS: usize = 16;

/// Positions that a topic lasts: no multiple of a block, so that blocks are mixed.
const STRETCH: usize = 96;

/// How much of a query or key is its topic, beside noise of variance 1.
const SHARE: f32 = 0.8;

benchbook_core::parameters! {
    /// Parameters of [`SparseAttention`].
    pub struct SparseAttentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 16;
        /// heads
        heads: usize = 8, 1..=1 << 16;
        /// queries and keys of a sequence
        seq: usize = 1024, 1..=1 << 16;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 16;
        /// share of the scores that should be left out
        sparsity: f64 = 0.75, 0.0..1.0;
        /// topics: weight on few keys; random: weight spread over all
        structure: String = "topics".to_owned(), ["topics", "random"];
    }
}

impl Problem for SparseAttention {
    const NAME: &'static str = "sparse-attention";
    const ABOUT: &'static str = "attention with a share of the scores left out: what it saves and what it loses";
    type Params = SparseAttentionParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, sparsity: f64| Params::default().with("seq", seq.into()).with("sparsity", sparsity.into());
        let random = of(2048, 0.75).with("structure", "random".into());
        let full = [0.5, 0.75, 0.9].map(|sparsity| of(2048, sparsity)).into_iter().chain([random]);
        vec![
            Preset { name: "quick", cases: vec![of(512, 0.5), of(512, 0.9)] },
            Preset { name: "default", cases: full.collect() },
        ]
    }

    fn ugly() -> Vec<SparseAttentionParams> {
        let of = |structure: &str, sparsity, [batch, heads, seq, head_dim]: [usize; 4]| SparseAttentionParams {
            batch,
            heads,
            seq,
            head_dim,
            sparsity,
            structure: structure.to_owned(),
        };
        vec![
            of("topics", 0.0, [1, 1, 1, 1]),
            of("topics", 0.5, [1, 3, 67, 17]),
            of("topics", 0.75, [1, 2, STRETCH + 1, 33]),
            of("random", 0.0, [1, 1, 33, 67]),
            of("random", 0.999, [2, 3, 130, 17]),
        ]
    }

    fn check(params: &SparseAttentionParams) -> Result<(), (&'static str, String)> {
        check_scores("seq", [params.batch, params.heads, params.seq, params.seq])
    }

    fn label(params: &SparseAttentionParams) -> String {
        let SparseAttentionParams { batch, heads, seq, head_dim, sparsity, structure } = params;
        format!("{structure} b{batch} h{heads} s{seq} d{head_dim} {} % out", 100.0 * sparsity)
    }

    /// Noise, plus a topic in the structure `topics`.
    fn inputs(params: &SparseAttentionParams, seed: u64) -> Inputs {
        let SparseAttentionParams { batch, heads, seq, head_dim, .. } = *params;
        let shape = [batch, heads, seq, head_dim];
        let mut inputs = draw(shape, shape, seed);
        if params.structure == "topics" {
            let topics = Array::normal(vec![batch * heads, TOPICS, head_dim], seed, 4);
            for name in ["query", "key"] {
                if let Some(array) = inputs.get_mut(name) {
                    add_topics(array.of_mut(), topics.of(), seq, head_dim);
                }
            }
        }
        inputs
    }

    fn reference(params: &SparseAttentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let SparseAttentionParams { batch, heads, seq, head_dim, .. } = *params;
        let (kv_heads, seq_q, seq_kv) = (heads, seq, seq);
        let all = AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, causal: false, masked: false };
        Attention::reference(&all, inputs, seed)
    }

    /// All scores: so that throughputs compare, whatever is left out.
    fn work(params: &SparseAttentionParams, dtype: DType) -> Work {
        let SparseAttentionParams { batch, heads, seq, head_dim, .. } = *params;
        let [batch, heads, seq, head_dim] = [batch, heads, seq, head_dim].map(|size| size as f64);
        let numbers = batch * heads * seq * head_dim;
        Work { flops: 4.0 * numbers * seq, bytes: 4.0 * numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &SparseAttentionParams, dtype: DType) -> f64 {
        tolerance_of_scores(dtype)
    }
}

/// Adds to each row of `[units, seq, d]` the topic of its position, of `[units, TOPICS, d]`.
fn add_topics(rows: &mut [f32], topics: &[f32], seq: usize, d: usize) {
    for (row, numbers) in rows.chunks_exact_mut(d).enumerate() {
        let (unit, position) = (row / seq, row % seq);
        // Seven and sixteen share no factor: every topic comes back, far from where it was.
        let topic = position / STRETCH * 7 % TOPICS;
        let of_topic = &topics[(unit * TOPICS + topic) * d..];
        numbers.iter_mut().zip(of_topic).for_each(|(number, topic)| *number += SHARE * topic);
    }
}
