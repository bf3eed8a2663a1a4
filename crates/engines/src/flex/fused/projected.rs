//! Attention together with the projections around it.

use std::sync::Arc;

use benchbook_core::Result;
use benchbook_simd::{Isa, Projected, Projections, Weights};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Tensor};

use super::call::{on_flex, wrong};
use super::ops::{Given, numbers, sizes, tensor};
use crate::flex::tensor::download;

/// What errors call this kernel.
const KERNEL: &str = "projected attention";

/// The operation that `flex` gets; shapes and dtypes were checked by the caller below.
#[backend_extension(Flex)]
pub trait ProjectedOps: Backend {
    /// Attention(x W_q, x W_k, x W_v) W_out of `[batch, seq, hidden]`.
    fn projected_attention(input: FloatTensor<Self>, weights: Arc<Projections>, causal: bool) -> FloatTensor<Self>;
}

impl ProjectedOps for Flex {
    fn projected_attention(input: Given, weights: Arc<Projections>, causal: bool) -> Given {
        let input = input.to_contiguous();
        let shape: [usize; 3] = sizes(&input);
        let [batch, seq, _] = shape;
        let call = Projected { batch, seq, input: numbers(&input), weights: &weights, causal };
        let mut out = vec![0.0_f32; shape.iter().product()];
        benchbook_simd::projected_attention(&call, &mut out).unwrap_or_else(|error| panic!("{KERNEL}: {error}"));
        tensor(out, shape)
    }
}

/// Weights as [`projected_attention`] takes them, packed once for this processor's instructions: `query`
/// `[hidden, heads · head_dim]`, `key` and `value` `[hidden, kv_heads · head_dim]`, `out` `[heads · head_dim, hidden]`, where
/// hidden is `heads · head_dim`, in `f32`.
///
/// # Errors
/// Shapes that do not go together, another dtype, another device than `flex`.
pub fn projections(
    [heads, kv_heads]: [usize; 2],
    [query, key, value, out]: [&Tensor<2>; 4],
) -> Result<Arc<Projections>> {
    let all = [query, key, value, out];
    let shapes = all.map(|weights| weights.dims());
    let wrong = |problem: String| wrong(KERNEL, format!("{problem}: weights {shapes:?}"));
    let hidden = shapes[0][0];
    let head_dim = hidden.checked_div(heads).unwrap_or(0);
    let square = [hidden, heads * head_dim];
    let narrow = [hidden, kv_heads * head_dim];
    if heads * head_dim != hidden || shapes != [square, narrow, narrow, square] {
        return Err(wrong(format!("{heads} query heads and {kv_heads} key heads do not fit")));
    }
    for weights in all {
        if weights.dtype() != DType::F32 {
            return Err(wrong(format!("a dtype is {:?}, f32 is needed", weights.dtype())));
        }
        on_flex(KERNEL, weights)?;
    }
    let mut read = Vec::with_capacity(all.len());
    for weights in all {
        read.push(download(weights.clone()).map_err(wrong)?);
    }
    let [query, key, value, out] = [0_usize, 1, 2, 3].map(|place| read[place].of::<f32>());
    let weights = Weights { heads, kv_heads, head_dim, query, key, value, out };
    Projections::new(&weights, Isa::detect()).map(Arc::new).map_err(|error| wrong(error.to_string()))
}

/// Attention(x W_q, x W_k, x W_v) W_out of `input` `[batch, seq, hidden]`, on `flex`, in `f32` (Vaswani et al.,
/// arXiv 1706.03762, section 3.2.2): queries and what the heads give never leave the cache.
///
/// # Errors
/// An input of another width than the weights take, another dtype, another device than `flex`.
pub fn projected_attention(input: Tensor<3>, weights: &Arc<Projections>, causal: bool) -> Result<Tensor<3>> {
    let (shape, hidden) = (input.dims(), weights.hidden());
    if shape[2] != hidden || input.dtype() != DType::F32 {
        let problem = format!("the input is {shape:?} {:?}, the weights take {hidden} numbers of F32", input.dtype());
        return Err(wrong(KERNEL, problem));
    }
    on_flex(KERNEL, &input)?;
    let out = Dispatch::projected_attention(input.into_dispatch(), Arc::clone(weights), causal);
    Ok(Tensor::from_dispatch(out))
}
