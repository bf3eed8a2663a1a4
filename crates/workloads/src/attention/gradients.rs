//! Attention forward and backward: gradients of query, key and value, given the gradient of the result.

use benchbook_core::{
    DType, HostArray, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload, sample_rows,
};
use rayon::prelude::*;

use super::Attention;
use super::reference::dot;

/// Attention forward and backward (Dao, arXiv 2307.08691, section 3.1 and its appendix on the backward pass).
///
/// Inputs: those of [`Attention`] without a mask, and `grad` `[batch, heads, seq_q, head_dim]`, the gradient of the
/// result. Output: `[rows, head_dim]`, the gradients of query, key and value one after another, heads flattened.
pub struct AttentionGradients;

/// A step does the forward pass again and two and a half times its products for the gradients.
const PASSES: f64 = 3.5;

impl Workload for AttentionGradients {
    fn name(&self) -> &'static str {
        "attention-gradients"
    }

    fn about(&self) -> &'static str {
        "attention forward and backward: the gradients of query, key and value"
    }

    fn params(&self) -> Vec<ParamSpec> {
        Attention.params().into_iter().filter(|spec| spec.name != "masked").collect()
    }

    fn presets(&self) -> Vec<Preset> {
        let seq = |length: i64, causal: bool| {
            Params::default().with("seq_q", Value::Int(length)).with("causal", Value::Bool(causal))
        };
        let full = [128, 512, 2048].into_iter().flat_map(|n| [seq(n, false), seq(n, true)]).collect();
        vec![
            Preset { name: "quick", cases: vec![seq(128, false), seq(256, true)] },
            Preset { name: "default", cases: full },
        ]
    }

    fn derive(&self, given: Params) -> Params {
        Attention.derive(given)
    }

    fn check(&self, params: &Params) -> Result<()> {
        Attention.check(&plain(params))
    }

    fn case_name(&self, params: &Params) -> String {
        Attention.case_name(&plain(params))
    }

    fn inputs(&self, params: &Params, seed: u64) -> Inputs {
        let mut inputs = Attention.inputs(&plain(params), seed);
        let shape = inputs.get("query").shape.clone();
        inputs.0.insert("grad", HostArray::normal(shape, seed, 5));
        inputs
    }

    fn reference(&self, params: &Params, inputs: &Inputs, seed: u64) -> Reference {
        gradient_rows(params, inputs, seed)
    }

    fn work(&self, params: &Params, dtype: DType) -> Work {
        let forward = Attention.work(&plain(params), dtype);
        // Inputs and the gradients of inputs; the result and its gradient stand in the forward pass's count once.
        Work { flops: PASSES * forward.flops, bytes: 2.0 * forward.bytes }
    }

    fn tolerance(&self, params: &Params, dtype: DType) -> f64 {
        Attention.tolerance(&plain(params), dtype)
    }
}

/// Parameters of a case without a mask, as the forward problem has them.
fn plain(params: &Params) -> Params {
    params.clone().with("masked", Value::Bool(false))
}

/// Multiply-adds spent on a reference at most; above it, a seeded subset of key heads is computed, whole.
const BUDGET: usize = 1 << 28;

/// Rows of the right gradients; a row is one query, key or value of one head of one sequence.
fn gradient_rows(params: &Params, inputs: &Inputs, seed: u64) -> Reference {
    let sizes = ["batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim"].map(|name| params.size(name));
    let [batch, heads, kv_heads, seq_q, seq_kv, head_dim] = sizes;
    let (group, units) = (heads / kv_heads, batch * kv_heads);
    // A key's gradient needs every query: so whole key heads, each with its query heads.
    let limit = (BUDGET / (5 * group * seq_q * seq_kv * head_dim)).max(1);
    let chosen = if limit < units { sample_rows(units, limit, seed) } else { (0..units).collect() };
    let causal = params.flag("causal");
    let solved: Vec<[Vec<f64>; 3]> = chosen.par_iter().map(|unit| one(sizes, causal, inputs, *unit)).collect();
    let (queries, keys) = (batch * heads * seq_q, units * seq_kv);
    let part = |offset: usize, length: usize, which: usize| {
        let rows = chosen.iter().flat_map(move |unit| (0..length).map(move |row| offset + unit * length + row));
        let values = solved.iter().flat_map(move |gradients| gradients[which].iter().copied());
        (rows.collect::<Vec<_>>(), values.collect::<Vec<_>>())
    };
    let parts = [part(0, group * seq_q, 0), part(queries, seq_kv, 1), part(queries + keys, seq_kv, 2)];
    let rows = parts.iter().flat_map(|(rows, _)| rows.iter().copied()).collect();
    let values = parts.iter().flat_map(|(_, values)| values.iter().copied()).collect();
    Reference { shape: vec![queries + 2 * keys, head_dim], rows, values }
}

/// Gradients of the query heads of a key head, of its keys, and of its values.
fn one(
    [_, heads, kv_heads, seq_q, seq_kv, d]: [usize; 6],
    causal: bool,
    inputs: &Inputs,
    unit: usize,
) -> [Vec<f64>; 3] {
    let group = heads / kv_heads;
    let of = |name: &str, row: usize| &inputs.get(name).data[row * d..][..d];
    let scale = 1.0 / (d as f64).sqrt();
    let mut gradients = [vec![0.0; group * seq_q * d], vec![0.0; seq_kv * d], vec![0.0; seq_kv * d]];
    let [query_grad, key_grad, value_grad] = &mut gradients;
    for row in 0..group * seq_q {
        let (query, grad) = (of("query", unit * group * seq_q + row), of("grad", unit * group * seq_q + row));
        let visible = if causal { row % seq_q + 1 + seq_kv - seq_q } else { seq_kv };
        let scores: Vec<f64> = (0..visible).map(|j| scale * dot(query, of("key", unit * seq_kv + j))).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp() / total).collect();
        let slopes: Vec<f64> = (0..visible).map(|j| dot(grad, of("value", unit * seq_kv + j))).collect();
        // The softmax's own gradient: each slope beside their weighted mean.
        let mean: f64 = weights.iter().zip(&slopes).map(|(weight, slope)| weight * slope).sum();
        for (j, (weight, slope)) in weights.iter().zip(&slopes).enumerate() {
            let of_score = weight * (slope - mean) * scale;
            let key = of("key", unit * seq_kv + j);
            for column in 0..d {
                query_grad[row * d + column] += of_score * f64::from(key[column]);
                key_grad[j * d + column] += of_score * f64::from(query[column]);
                value_grad[j * d + column] += weight * f64::from(grad[column]);
            }
        }
    }
    gradients
}
