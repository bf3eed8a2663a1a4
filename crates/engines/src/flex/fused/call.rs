//! Our own kernels, called with burn's tensors.

use std::sync::Arc;

use benchbook_core::{Error, Result};
use benchbook_simd::{Rotary, ScoreMod, Tiles};
use burn::backend::Dispatch;
use burn::tensor::{Bool, DType, Tensor};

use super::ops::FusedOps;

/// What a query sees, and how scores are scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Options {
    /// Factor of the scores; `None`: 1 / √head_dim.
    pub scale: Option<f32>,
    /// Whether a query sees no key after its own position; the last query sees the last key.
    pub causal: bool,
    /// How many keys a query sees at most, the one at its own position included.
    pub window: Option<usize>,
}

/// Attention of `query` `[batch, heads, seq_q, head_dim]` to `key` and `value` `[batch, kv_heads, seq_kv, head_dim]`, on
/// `flex`, in `f32` or `bf16` (computed in `f32`): FlashAttention-2 (Dao, arXiv 2307.08691, algorithm 1).
///
/// `mask` is `[batch, 1, seq_q, seq_kv]`, true where a key is hidden. A query that sees no key gets zeros.
///
/// # Errors
/// Shapes or dtypes that do not go together, another device than `flex`, a window of 0.
pub fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    mask: Option<Tensor<4, Bool>>,
    options: Options,
) -> Result<Tensor<4>> {
    fit([&query, &key, &value], options, &[DType::F32, DType::BF16])?;
    let ([batch, _, seq_q, _], [_, _, seq_kv, _]) = (query.dims(), key.dims());
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    let Some(mask) = mask else {
        return Ok(Tensor::from_dispatch(Dispatch::fused_attention(query, key, value, options)));
    };
    if mask.dims() != [batch, 1, seq_q, seq_kv] {
        let problem = format!("the mask is {:?}, not {:?}", mask.dims(), [batch, 1, seq_q, seq_kv]);
        return Err(wrong("attention", problem));
    }
    Ok(Tensor::from_dispatch(Dispatch::fused_attention_masked(query, key, value, mask.into_dispatch(), options)))
}

/// The gradients of query, key and value, given `grad`, that of [`attention`]'s result: forward and backward, in `f32`
/// (Dao, arXiv 2307.08691, algorithms 1 and 2).
///
/// # Errors
/// As of [`attention`]; tensors of another dtype than `f32`.
pub fn attention_gradients(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    grad: Tensor<4>,
    options: Options,
) -> Result<[Tensor<4>; 3]> {
    fit([&query, &key, &value], options, &[DType::F32])?;
    if grad.dims() != query.dims() || grad.dtype() != DType::F32 {
        let problem = format!("the gradient is {:?} {:?}, not {:?} F32", grad.dims(), grad.dtype(), query.dims());
        return Err(wrong("attention", problem));
    }
    let [query, key, value, grad] = [query, key, value, grad].map(Tensor::into_dispatch);
    let (query, key, value) = Dispatch::fused_attention_gradients(query, key, value, grad, options);
    Ok([query, key, value].map(Tensor::from_dispatch))
}

/// As [`attention`], with what `score_mod` makes of each score before the softmax: a closure
/// `|score, place| …` that gets scale · q·k, where −∞ hides a key (the idea of FlexAttention: Dong et al.,
/// arXiv 2412.05496).
///
/// # Errors
/// As of [`attention`].
pub fn programmable_attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    score_mod: &Arc<dyn ScoreMod>,
    options: Options,
) -> Result<Tensor<4>> {
    fit([&query, &key, &value], options, &[DType::F32, DType::BF16])?;
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    Ok(Tensor::from_dispatch(Dispatch::programmable_attention(query, key, value, Arc::clone(score_mod), options)))
}

/// As [`attention`], with queries and keys turned by their positions first (Su et al., arXiv 2104.09864), in `f32`.
/// The last query stands at the position of the last key.
///
/// # Errors
/// As of [`attention`]; more queries than keys, or positions that `rotary` has no angles for.
pub fn rotary_attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    rotary: &Arc<Rotary>,
    options: Options,
) -> Result<Tensor<4>> {
    fit([&query, &key, &value], options, &[DType::F32])?;
    let ([_, _, seq_q, head_dim], seq_kv) = (query.dims(), key.dims()[2]);
    if seq_q > seq_kv || seq_kv > rotary.positions() || head_dim != rotary.head_dim() {
        let problem = format!(
            "{seq_q} queries and {seq_kv} keys of width {head_dim} need as many positions of that width, there are {} of {}",
            rotary.positions(),
            rotary.head_dim()
        );
        return Err(wrong("rotary attention", problem));
    }
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    Ok(Tensor::from_dispatch(Dispatch::rotary_attention(query, key, value, Arc::clone(rotary), options)))
}

/// Refuses tensors that do not go together, with their shapes.
pub(super) fn fit([query, key, value]: [&Tensor<4>; 3], options: Options, dtypes: &[DType]) -> Result<()> {
    let ([batch, heads, _, head_dim], [_, kv_heads, seq_kv, _]) = (query.dims(), key.dims());
    let shapes = format!("query {:?}, key {:?}, value {:?}", query.dims(), key.dims(), value.dims());
    let wrong = |problem: String| Err(wrong("attention", format!("{problem}: {shapes}")));
    if key.dims() != [batch, kv_heads, seq_kv, head_dim] || value.dims() != key.dims() {
        return wrong("keys and values need the batch and head_dim of the queries, and one shape".into());
    }
    if kv_heads == 0 || heads % kv_heads != 0 {
        return wrong(format!("{heads} query heads cannot share {kv_heads} key heads evenly"));
    }
    if head_dim == 0 {
        return wrong("head_dim is 0".into());
    }
    if options.window == Some(0) {
        return wrong("a window of 0 keys shows nothing".into());
    }
    let found = [query.dtype(), key.dtype(), value.dtype()];
    if !dtypes.contains(&found[0]) || found.iter().any(|dtype| *dtype != found[0]) {
        return wrong(format!("dtypes are {found:?}, all of one of {dtypes:?} are needed"));
    }
    on_flex("attention", query)
}

/// The product of `left` `[m, k]` and `right` `[k, n]` on `flex`, in `f32` or `bf16` (computed in `f32`).
///
/// # Errors
/// Shapes that do not fit, another dtype, another device than `flex`.
pub fn matmul(left: Tensor<2>, right: Tensor<2>) -> Result<Tensor<2>> {
    matmul_with(left, right, Tiles::USUAL)
}

/// The same, cut into blocks of these sizes.
///
/// # Errors
/// As [`matmul`]; what the kernel says of such blocks is a panic.
pub fn matmul_with(left: Tensor<2>, right: Tensor<2>, tiles: Tiles) -> Result<Tensor<2>> {
    if left.dims()[1] != right.dims()[0] {
        let problem = format!("{:?} and {:?} have no product: columns must match rows", left.dims(), right.dims());
        return Err(wrong("matmul", problem));
    }
    if left.dtype() != right.dtype() || ![DType::F32, DType::BF16].contains(&left.dtype()) {
        let problem = format!("dtypes are {:?} and {:?}, f32 or bf16 of both is needed", left.dtype(), right.dtype());
        return Err(wrong("matmul", problem));
    }
    on_flex("matmul", &left)?;
    Ok(Tensor::from_dispatch(Dispatch::tiled_matmul(left.into_dispatch(), right.into_dispatch(), tiles)))
}

pub(super) fn on_flex<const D: usize>(kernel: &str, tensor: &Tensor<D>) -> Result<()> {
    let device = tensor.device();
    if device.is_autodiff() {
        return Err(wrong(
            kernel,
            "its tensors track gradients, which would be lost here: take their `inner()`".into(),
        ));
    }
    if device != burn::tensor::Device::flex() {
        return Err(wrong(kernel, format!("its tensors lie on {device:?}, this kernel runs on flex alone")));
    }
    Ok(())
}

pub(super) fn wrong(kernel: &str, reason: String) -> Error {
    Error::Implementation { implementation: kernel.into(), device: "flex".into(), reason }
}
