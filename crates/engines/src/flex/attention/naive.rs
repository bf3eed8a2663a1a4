//! Attention that materialises its scores.

use benchbook_core::{DType, Inputs, Result, Row};
use benchbook_workloads::attention::{Attention, AttentionParams};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, Tensor};

use super::AttentionInputs;
use crate::flex::row::burn_row;
use crate::flex::subject::prepare;
use crate::flex::tensor::Target;

/// Matmul, mask, softmax, matmul: the scores `[batch, heads, seq_q, seq_kv]` live in memory. Every hidden position, causal
/// ones included, is in one mask made before timing.
///
/// Source: Vaswani et al., arXiv 1706.03762, equation 1.
pub const NAIVE: Row<Attention> = burn_row::<Attention>(
    "naive",
    "matmul, softmax, matmul with the scores in memory (arXiv 1706.03762, eq. 1)",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, masked, by_burn),
)
.catalogue(&["AT1"]);

/// Inputs, and `[batch or 1, 1, seq_q, seq_kv]`, true where a key is hidden.
type Masked = (AttentionInputs, Option<Tensor<4, Bool>>);

fn masked(on: &Target, params: &AttentionParams, inputs: &Inputs) -> Result<Masked> {
    let inputs = AttentionInputs::upload(on, params, inputs)?;
    let hidden = hidden([&inputs.query, &inputs.key], inputs.mask.as_ref(), inputs.causal);
    Ok((inputs, hidden))
}

fn by_burn((inputs, hidden): &Masked) -> Result<[Tensor<4>; 1]> {
    Ok([attend(inputs.attended(), hidden.as_ref())])
}

/// Where a key is hidden from a query, by the mask or by causality; nothing where none is.
pub(super) fn hidden(
    [query, key]: [&Tensor<4>; 2],
    mask: Option<&Tensor<4, Bool>>,
    causal: bool,
) -> Option<Tensor<4, Bool>> {
    let ([_, _, seq_q, _], [_, _, seq_kv, _]) = (query.dims(), key.dims());
    match (mask, causal.then(|| later([seq_q, seq_kv], &query.device()))) {
        (Some(mask), Some(causal)) => Some(mask.clone().bool_or(causal.expand(mask.dims()))),
        (Some(mask), None) => Some(mask.clone()),
        (None, causal) => causal,
    }
}

/// The keys after each query, of which the last sees all, `[1, 1, seq_q, seq_kv]`.
pub(in crate::flex) fn later([seq_q, seq_kv]: [usize; 2], device: &Device) -> Tensor<4, Bool> {
    // burn's tril_mask is true outside the lower triangle.
    Tensor::<2, Bool>::tril_mask([seq_q, seq_kv], seq_kv as i64 - seq_q as i64, device).unsqueeze::<4>()
}

/// Repeats each key or value head for the query heads that share it (Ainslie et al., arXiv 2305.13245).
fn repeat_heads(tensor: &Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, kv_heads, seq, head_dim] = tensor.dims();
    if kv_heads == heads {
        return tensor.clone();
    }
    let group = heads / kv_heads;
    tensor
        .clone()
        .reshape([batch, kv_heads, 1, seq, head_dim])
        .expand([batch, kv_heads, group, seq, head_dim])
        .reshape([batch, heads, seq, head_dim])
}

/// Attention with all scores in memory, scaled by 1 / √head_dim.
pub(in crate::flex) fn attend(tensors: [&Tensor<4>; 3], hidden: Option<&Tensor<4, Bool>>) -> Tensor<4> {
    let [_, _, _, head_dim] = tensors[0].dims();
    attend_scaled(tensors, hidden, 1.0 / (head_dim as f64).sqrt())
}

/// The same with another scale; values may be of another width than keys.
pub(super) fn attend_scaled(
    [query, key, value]: [&Tensor<4>; 3],
    hidden: Option<&Tensor<4, Bool>>,
    scale: f64,
) -> Tensor<4> {
    let [_, heads, _, _] = query.dims();
    let key = repeat_heads(key, heads);
    let value = repeat_heads(value, heads);
    let mut scores = query.clone().mul_scalar(scale).matmul(key.swap_dims(2, 3));
    if let Some(hidden) = hidden {
        let hidden = hidden.clone().expand(scores.dims());
        scores = scores.mask_fill(hidden, f32::NEG_INFINITY);
    }
    softmax(scores, 3).matmul(value)
}
