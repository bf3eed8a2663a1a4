//! Gradients of attention: by burn's automatic differentiation, and ours.

use benchbook_core::{DType, Error, Inputs, Result, Row};
use benchbook_workloads::attention::{AttentionGradients, AttentionGradientsParams};
use burn::tensor::Tensor;

use super::AttentionInputs;
use super::naive::{attend, hidden};
use crate::flex::fused;
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::{NamedInputs, Rows, prepare};
use crate::flex::tensor::Target;

/// Implementations of `attention-gradients`.
pub const ROWS: [Row<AttentionGradients>; 2] = [AUTODIFF, FUSED];

/// Inputs of one forward and backward pass.
struct GradientInputs {
    forward: AttentionInputs,
    /// `[batch, heads, seq_q, head_dim]`: the gradient of the result.
    grad: Tensor<4>,
}

impl NamedInputs for GradientInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "grad" { Some(&mut self.grad) } else { self.forward.input(name) }
    }
}

fn upload(on: &Target, params: &AttentionGradientsParams, inputs: &Inputs) -> Result<GradientInputs> {
    let forward = AttentionInputs::unmasked(on, inputs, params.causal);
    Ok(GradientInputs { forward, grad: on.upload(inputs.get("grad")) })
}

/// The forward pass with its scores in memory, and burn's autodiff through every operation of it. Gradients in 16 bits need
/// a scaled loss, which this comparison has not.
pub const AUTODIFF: Row<AttentionGradients> = burn_row::<AttentionGradients>(
    "autodiff",
    "burn's autodiff through matmul, softmax, matmul with the scores in memory",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, upload, by_burn),
);

fn by_burn(GradientInputs { forward, grad }: &GradientInputs) -> Result<[Tensor<4>; 3]> {
    // Tracked anew in each call, so that nothing is left of the one before.
    let [query, key, value] = forward.attended().map(|tensor| Tensor::from_inner(tensor.clone()).require_grad());
    let hidden = hidden([&query, &key], None, forward.causal);
    let out = attend([&query, &key, &value], hidden.as_ref());
    let grads = (out * Tensor::from_inner(grad.clone())).sum().backward();
    let of = |tensor: &Tensor<4>| {
        tensor.grad(&grads).ok_or_else(|| Error::Implementation {
            implementation: "autodiff".into(),
            device: format!("{:?}", tensor.device()),
            reason: "an input has no gradient".into(),
        })
    };
    Ok([of(&query)?, of(&key)?, of(&value)?])
}

/// FlashAttention-2, forward and backward (Dao, arXiv 2307.08691, algorithms 1 and 2): the forward pass keeps one number
/// for each query, the backward pass computes the weights again, tile by tile.
pub const FUSED: Row<AttentionGradients> = fused_row::<AttentionGradients>(
    "fused",
    "hand-written FlashAttention-2, forward and backward, scores never in memory (arXiv 2307.08691)",
    &[DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, upload, by_hand),
)
.catalogue(&["AT2"]);

fn by_hand(GradientInputs { forward, grad }: &GradientInputs) -> Result<[Tensor<4>; 3]> {
    let options = fused::Options { causal: forward.causal, ..Default::default() };
    let [query, key, value] = forward.attended().map(Tensor::clone);
    fused::attention_gradients(query, key, value, grad.clone(), options)
}
