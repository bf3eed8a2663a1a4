//! Attention with contextual positions.

use benchbook_core::Result;
use benchbook_simd::Contextual;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Tensor};

use super::Options;
use super::call::{fit, on_flex, wrong};
use super::ops::{Given, call, numbers, sizes, tensor};

/// What errors call this kernel.
const NAME: &str = "contextual attention";

/// The operation that `flex` gets; shapes and dtypes were checked by the caller below.
#[backend_extension(Flex)]
pub trait ContextualOps: Backend {
    /// Causal attention with contextual positions, `embedding` `[positions, head_dim]`.
    fn contextual_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        embedding: FloatTensor<Self>,
        options: Options,
    ) -> FloatTensor<Self>;
}

impl ContextualOps for Flex {
    fn contextual_attention(query: Given, key: Given, value: Given, embedding: Given, options: Options) -> Given {
        let [query, key, value, embedding] = [query, key, value, embedding].map(|tensor| tensor.to_contiguous());
        let plain = call::<f32>(&query, &key, &value, None, options);
        let contextual = Contextual {
            heads: plain.heads,
            query: plain.query,
            key: plain.key,
            value: plain.value,
            embedding: numbers(&embedding),
            positions: sizes::<2>(&embedding)[0],
            scale: plain.scale,
            isa: plain.isa,
        };
        let mut out = vec![0.0_f32; plain.query.len()];
        let done = benchbook_simd::contextual_attention(&contextual, &mut out);
        done.unwrap_or_else(|error| panic!("{NAME}: {error}"));
        tensor(out, plain.heads.query())
    }
}

/// Causal attention with contextual positions (CoPE: Golovneva et al., arXiv 2405.18719, section 3) of `query`
/// `[batch, heads, seq_q, head_dim]` to `key` and `value` `[batch, kv_heads, seq_kv, head_dim]`, on `flex`, in `f32`.
///
/// Gates are sigmoids of the scores *with* their scale (`None`: 1 / √head_dim); a key's position is the sum of the gates
/// from it to the query; `embedding` `[positions, head_dim]`, shared by all heads, says what a position adds to the score.
/// The last query sees the last key. See [`benchbook_simd::contextual_attention`].
///
/// # Errors
/// Shapes or dtypes that do not go together, another device than `flex`, an embedding of 0 positions.
pub fn contextual_attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    embedding: Tensor<2>,
    scale: Option<f32>,
) -> Result<Tensor<4>> {
    let options = Options { scale, causal: true, window: None };
    fit([&query, &key, &value], options, &[DType::F32])?;
    let ([positions, width], head_dim) = (embedding.dims(), query.dims()[3]);
    if positions == 0 || width != head_dim {
        let problem = format!("the embedding is {:?}, not [1 or more, {head_dim}]", embedding.dims());
        return Err(wrong(NAME, problem));
    }
    if embedding.dtype() != DType::F32 {
        return Err(wrong(NAME, format!("the embedding is {:?}, f32 is needed", embedding.dtype())));
    }
    on_flex(NAME, &embedding)?;
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    let embedding = embedding.into_dispatch();
    Ok(Tensor::from_dispatch(Dispatch::contextual_attention(query, key, value, embedding, options)))
}
