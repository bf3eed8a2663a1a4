//! Attention that leaves scores out, chosen from queries and keys.

use std::sync::Arc;

use benchbook_core::Result;
use benchbook_simd::{Attend, ScoreMod};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Tensor};

use super::Options;
use super::call::fit;
use super::ops::{Given, call, tensor};

/// Looks at queries and keys, and says what is to be computed.
pub trait Select: Send + Sync {
    /// Gives `then` the score_mod of a call: what it hides is left out.
    ///
    /// # Errors
    /// Sizes that do not go together.
    fn select(&self, call: &Attend, then: &mut dyn FnMut(&dyn ScoreMod)) -> benchbook_simd::Result<()>;

    /// Of a call's scores, the share that is left out; of all its operations, the share that is saved, what choosing costs
    /// included.
    ///
    /// # Errors
    /// As of [`Self::select`].
    fn left_out(&self, call: &Attend) -> benchbook_simd::Result<[f64; 2]>;
}

/// The operation that `flex` gets; shapes and dtypes were checked by the caller below.
#[backend_extension(Flex)]
pub trait SparseOps: Backend {
    /// Attention to what `select` leaves.
    fn sparse_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        select: Arc<dyn Select>,
        options: Options,
    ) -> FloatTensor<Self>;
}

impl SparseOps for Flex {
    fn sparse_attention(query: Given, key: Given, value: Given, select: Arc<dyn Select>, options: Options) -> Given {
        let [query, key, value] = [query, key, value].map(|tensor| tensor.to_contiguous());
        let call = call::<f32>(&query, &key, &value, None, options);
        let mut out = vec![0.0_f32; call.query.len()];
        let mut done = Ok(());
        let chosen = select.select(&call, &mut |score_mod| {
            done = benchbook_simd::attention_with_score_mod(&call, score_mod, &mut out);
        });
        chosen.and(done).unwrap_or_else(|error| panic!("sparse attention: {error}"));
        tensor(out, call.heads.query())
    }
}

/// As [`super::attention`], without the scores that `select` leaves out, in `f32`.
///
/// # Errors
/// As of [`super::attention`].
pub fn sparse_attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    select: &Arc<dyn Select>,
    options: Options,
) -> Result<Tensor<4>> {
    fit([&query, &key, &value], options, &[DType::F32])?;
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    Ok(Tensor::from_dispatch(Dispatch::sparse_attention(query, key, value, Arc::clone(select), options)))
}
