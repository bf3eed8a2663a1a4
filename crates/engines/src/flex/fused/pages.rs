//! Attention over a cache in blocks.

use std::sync::Arc;

use benchbook_core::Result;
use benchbook_simd::{Cache, Heads, Paged};
use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};

use super::Options;
use super::call::{on_flex, wrong};
use super::ops::FusedOps;

/// Who has which block of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// `[batch, entries]`: which block of the pool holds each stretch of a sequence; negative where there is none.
    pub table: Vec<i32>,
    /// `[batch]`: keys of each sequence.
    pub lengths: Vec<usize>,
}

impl Pages {
    /// Sizes and cache of a call with these shapes of query and pool.
    pub(super) fn of(&self, query: [usize; 4], pool: [usize; 4]) -> (Heads, Cache<'_>) {
        let ([batch, heads, seq_q, head_dim], [_, kv_heads, block, _]) = (query, pool);
        let seq_kv = self.table.len() / batch.max(1) * block;
        let heads = Heads { batch, heads, kv_heads, seq_q, seq_kv, head_dim };
        (heads, Cache::Paged(Paged { block, table: &self.table, lengths: &self.lengths }))
    }
}

/// Attention of `query` `[batch, heads, seq_q, head_dim]`, the last queries of each sequence, to keys and values in blocks
/// of pools `[blocks, kv_heads, block, head_dim]`, on `flex`, in `f32` or `bf16` (Kwon et al., arXiv 2309.06180).
///
/// # Errors
/// Shapes or dtypes that do not go together, a table with holes or with blocks that the pool has not, another device than
/// `flex`.
pub fn paged_attention(
    query: Tensor<4>,
    key_pool: Tensor<4>,
    value_pool: Tensor<4>,
    pages: &Arc<Pages>,
    options: Options,
) -> Result<Tensor<4>> {
    let (asked, pool) = (query.dims(), key_pool.dims());
    let shapes = format!("query {asked:?}, pools {pool:?} and {:?}", value_pool.dims());
    let wrong = |problem: String| Err(wrong("paged attention", format!("{problem}: {shapes}")));
    if value_pool.dims() != pool || pool[3] != asked[3] {
        return wrong("the pools need one shape, and the head_dim of the queries".into());
    }
    let dtypes = [query.dtype(), key_pool.dtype(), value_pool.dtype()];
    if !matches!(dtypes[0], DType::F32 | DType::BF16) || dtypes.iter().any(|dtype| *dtype != dtypes[0]) {
        return wrong(format!("dtypes are {dtypes:?}, all of f32 or all of bf16 are needed"));
    }
    let (heads, cache) = pages.of(asked, pool);
    if let Err(error) = heads.check().and_then(|()| cache.check(&heads, pool.iter().product())) {
        return wrong(error.to_string());
    }
    on_flex("paged attention", &query)?;
    let [query, key_pool, value_pool] = [query, key_pool, value_pool].map(Tensor::into_dispatch);
    Ok(Tensor::from_dispatch(Dispatch::paged_attention(query, key_pool, value_pool, Arc::clone(pages), options)))
}
