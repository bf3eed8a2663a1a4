//! The problem: gradients of query, key and value, given the gradient of the result.

use benchbook_core::{DType, Inputs, ParamSpec, Params, Preset, Reference, Result, Value, Work, Workload};

use super::reference::gradient_rows;
use crate::attention::Attention;

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
        inputs.0.insert("grad", benchbook_core::HostArray::normal(shape, seed, 5));
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
