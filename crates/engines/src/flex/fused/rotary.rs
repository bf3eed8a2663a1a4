//! Attention with rotary positions.

use std::sync::Arc;

use benchbook_core::Result;
use benchbook_simd::Rotary;
use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};

use super::Options;
use super::call::{fit, wrong};
use super::ops::FusedOps;

/// As [`super::attention`], with queries and keys turned by their positions first (Su et al., arXiv 2104.09864), in `f32`.
/// The last query stands at the position of the last key.
///
/// # Errors
/// As of [`super::attention`]; more queries than keys, or positions that `rotary` has no angles for.
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
