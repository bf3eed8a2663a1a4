//! Attention whose scores a closure changes.

use std::sync::Arc;

use benchbook_core::Result;
use benchbook_simd::Program;
use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};

use super::Options;
use super::call::fit;
use super::ops::FusedOps;

/// As [`super::attention`], with what `program` makes of each score before the softmax: a closure
/// `|score, place| …` that gets scale · q·k, where −∞ hides a key (the idea of FlexAttention: Dong et al.,
/// arXiv 2412.05496).
///
/// # Errors
/// As of [`super::attention`].
pub fn programmable_attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    program: &Arc<dyn Program>,
    options: Options,
) -> Result<Tensor<4>> {
    fit([&query, &key, &value], options, &[DType::F32, DType::BF16])?;
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    Ok(Tensor::from_dispatch(Dispatch::programmable_attention(query, key, value, Arc::clone(program), options)))
}
