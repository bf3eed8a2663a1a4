//! Attention forward and backward: gradients of query, key and value, given the gradient of the result.

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Params, Preset, Problem, Reference, Tolerance, Work, sample_rows,
};
use rayon::prelude::*;

use super::reference::dot;
use super::{Attention, AttentionParams};
use crate::tolerance::{tolerance_of_gradients, tolerance_of_scores};

/// Attention forward and backward (Dao, arXiv 2307.08691, section 3.1 and its appendix on the backward pass).
///
/// Inputs: those of [`Attention`] without a mask, and `grad` `[batch, heads, seq_q, head_dim]`, the gradient of the
/// result. Outputs: `query_grad`, `key_grad` and `value_grad`, in the shapes of query, key and value.
pub struct AttentionGradients;

/// A step does the forward pass again and two and a half times its products for the gradients.
const PASSES: f64 = 3.5;

benchbook_core::parameters! {
    /// Parameters of [`AttentionGradients`].
    pub struct AttentionGradientsParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 24;
        /// query heads
        heads: usize = 8, 1..=1 << 24;
        /// key and value heads; follows heads unless set
        kv_heads: usize = 8, 1..=1 << 24;
        /// queries per sequence
        seq_q: usize = 512, 1..=1 << 24;
        /// keys per sequence; follows seq_q unless set
        seq_kv: usize = 512, 1..=1 << 24;
        /// width of a head
        head_dim: usize = 64, 1..=1 << 24;
        /// a query sees no key after its own position
        causal: bool = false;
    }
}

impl AttentionGradientsParams {
    /// The forward problem.
    pub fn forward(&self) -> AttentionParams {
        let Self { batch, heads, kv_heads, seq_q, seq_kv, head_dim, causal } = *self;
        AttentionParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, causal, masked: false }
    }
}

impl Problem for AttentionGradients {
    const NAME: &'static str = "attention-gradients";
    const ABOUT: &'static str = "attention forward and backward: the gradients of query, key and value";
    type Params = AttentionGradientsParams;

    fn presets() -> Vec<Preset> {
        let seq =
            |length: i64, causal: bool| Params::default().with("seq_q", length.into()).with("causal", causal.into());
        let full = [128, 512, 2048].into_iter().flat_map(|n| [seq(n, false), seq(n, true)]).collect();
        vec![
            Preset { name: "quick", cases: vec![seq(128, false), seq(256, true)] },
            Preset { name: "default", cases: full },
        ]
    }

    fn ugly() -> Vec<AttentionGradientsParams> {
        let of = |batch, causal, [heads, kv_heads, seq_q, seq_kv, head_dim]: [usize; 5]| AttentionGradientsParams {
            batch,
            heads,
            kv_heads,
            seq_q,
            seq_kv,
            head_dim,
            causal,
        };
        vec![
            of(1, false, [1, 1, 1, 1, 1]),
            of(1, false, [2, 2, 3, 17, 5]),
            of(1, false, [4, 2, 1, 1031, 17]),
            of(3, false, [2, 1, 33, 17, 67]),
            // The first query sees one key.
            of(2, true, [6, 2, 67, 67, 33]),
            of(1, true, [3, 3, 17, 33, 80]),
        ]
    }

    fn derive(given: Params) -> Params {
        Attention::derive(given)
    }

    fn check(params: &AttentionGradientsParams) -> Result<(), (&'static str, String)> {
        Attention::check(&params.forward())
    }

    fn label(params: &AttentionGradientsParams) -> String {
        Attention::label(&params.forward())
    }

    fn inputs(params: &AttentionGradientsParams, seed: u64) -> Inputs {
        let mut inputs = Attention::inputs(&params.forward(), seed);
        let shape = inputs.get("query").shape().to_vec();
        inputs.insert("grad", Array::normal(shape, seed, 5));
        inputs
    }

    /// By plain loops; a row is one query, key or value of one head of one sequence.
    fn reference(params: &AttentionGradientsParams, inputs: &Inputs, seed: u64) -> Reference {
        let AttentionGradientsParams { batch, heads, kv_heads, seq_q, seq_kv, head_dim, .. } = *params;
        let (group, units) = (heads / kv_heads, batch * kv_heads);
        // A key's gradient needs every query: so whole key heads, each with its query heads.
        let limit = (BUDGET / (5 * group * seq_q * seq_kv * head_dim)).max(1);
        let chosen = sample_rows(units, limit, seed);
        let solved: Vec<[Vec<f64>; 3]> = chosen.par_iter().map(|unit| of_unit(params, inputs, *unit)).collect();
        let answer = |which: usize, name: &'static str, shape: [usize; 4], length: usize| Answer {
            name: name.into(),
            shape: shape.into(),
            rows: chosen.iter().flat_map(|unit| unit * length..(unit + 1) * length).collect(),
            values: solved.iter().flat_map(|gradients| gradients[which].iter().copied()).collect(),
            check: Check::Near,
        };
        let keys = [batch, kv_heads, seq_kv, head_dim];
        Reference {
            answers: vec![
                answer(0, "query_grad", [batch, heads, seq_q, head_dim], group * seq_q),
                answer(1, "key_grad", keys, seq_kv),
                answer(2, "value_grad", keys, seq_kv),
            ],
        }
    }

    fn work(params: &AttentionGradientsParams, dtype: DType) -> Work {
        let forward = Attention::work(&params.forward(), dtype);
        // Inputs and the gradients of inputs; the result and its gradient stand in the forward pass's count once.
        Work { flops: PASSES * forward.flops, bytes: 2.0 * forward.bytes }
    }

    fn tolerance(params: &AttentionGradientsParams, dtype: DType) -> f64 {
        Attention::tolerance(&params.forward(), dtype).max(tolerance_of_gradients(dtype))
    }

    /// The gradient of the values is a product by the weights of the forward pass, and goes through no difference.
    fn tolerances(params: &AttentionGradientsParams, dtype: DType) -> Vec<Tolerance> {
        let relative = Attention::tolerance(&params.forward(), dtype).max(tolerance_of_scores(dtype));
        vec![Tolerance { output: "value_grad".into(), relative, absolute: 0.0 }]
    }
}

/// Multiply-adds spent on a reference at most; above it, a seeded subset of key heads is computed, whole.
const BUDGET: usize = 1 << 28;

/// Gradients of the query heads of a key head, of its keys, and of its values.
fn of_unit(params: &AttentionGradientsParams, inputs: &Inputs, unit: usize) -> [Vec<f64>; 3] {
    let AttentionGradientsParams { heads, kv_heads, seq_q, seq_kv, head_dim: d, causal, .. } = *params;
    let queries = heads / kv_heads * seq_q;
    let [query, key, value, grad] = ["query", "key", "value", "grad"].map(|name| inputs.numbers(name));
    let key = |j: usize| &key[(unit * seq_kv + j) * d..][..d];
    let value = |j: usize| &value[(unit * seq_kv + j) * d..][..d];
    let scale = 1.0 / (d as f64).sqrt();
    let mut gradients = [vec![0.0; queries * d], vec![0.0; seq_kv * d], vec![0.0; seq_kv * d]];
    let [query_grad, key_grad, value_grad] = &mut gradients;
    for row in 0..queries {
        let [query, grad] = [query, grad].map(|array| &array[(unit * queries + row) * d..][..d]);
        let visible = if causal { row % seq_q + 1 + seq_kv - seq_q } else { seq_kv };
        let scores: Vec<f64> = (0..visible).map(|j| scale * dot(query, key(j))).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp() / total).collect();
        let slopes: Vec<f64> = (0..visible).map(|j| dot(grad, value(j))).collect();
        // The softmax's own gradient: each slope beside their weighted mean.
        let mean: f64 = weights.iter().zip(&slopes).map(|(weight, slope)| weight * slope).sum();
        for (j, (weight, slope)) in weights.iter().zip(&slopes).enumerate() {
            let of_score = weight * (slope - mean) * scale;
            let key = key(j);
            for column in 0..d {
                query_grad[row * d + column] += of_score * f64::from(key[column]);
                key_grad[j * d + column] += of_score * f64::from(query[column]);
                value_grad[j * d + column] += weight * f64::from(grad[column]);
            }
        }
    }
    gradients
}
