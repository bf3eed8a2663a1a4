//! Paged decoding: blocks gathered, then `scaled_dot_product_attention`.

use benchbook_core::{Array, Inputs, Row, Setting};
use benchbook_workloads::attention::{PagedAttention, PagedAttentionParams};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Call, row};
use super::subject::find;

/// What one does in PyTorch without a kernel for it (EN1): `index_select` copies the blocks of every head of every sequence
/// together, once, and what lies behind the last key of a sequence is masked. Indices and mask are made before timing.
pub const SDPA_PAGED: Row<PagedAttention> = row::<Pages, 1>(
    "torch-sdpa",
    "libtorch's index_select of the blocks, scaled_dot_product_attention with the padding masked",
);

pub struct Pages {
    query: Tensor,
    key_pool: Tensor,
    value_pool: Tensor,
    /// `[batch · kv_heads · entries]`: blocks of single heads.
    places: Tensor,
    /// `[batch, 1, 1, entries · block_size]`, true where a key is seen: torch's meaning.
    keep: Tensor,
    grouped: bool,
}

impl Call<1> for Pages {
    type Problem = PagedAttention;

    fn prepared(setting: &Setting, params: &PagedAttentionParams, inputs: &Inputs) -> Result<Self, TchError> {
        let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
        Ok(Self {
            query: tensor("query")?,
            key_pool: tensor("key_pool")?,
            value_pool: tensor("value_pool")?,
            places: places(inputs.get("table"), params.kv_heads)?,
            keep: keep(inputs, params.block_size)?,
            grouped: params.heads != params.kv_heads,
        })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let Self { query, key_pool, value_pool, places, keep, grouped } = self;
        let (blocks, kv_heads, block, head_dim) = key_pool.size4()?;
        let (batch, _, _, keys) = keep.size4()?;
        let together = |pool: &Tensor| {
            let single = pool.f_reshape([blocks * kv_heads, block, head_dim])?;
            single.f_index_select(0, places)?.f_reshape([batch, kv_heads, keys, head_dim])
        };
        let (key, value) = (together(key_pool)?, together(value_pool)?);
        let mask = Some(keep);
        Ok([Tensor::f_scaled_dot_product_attention(query, &key, &value, mask, 0.0, false, None, *grouped)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["query", "key_pool", "value_pool"], &[&self.query, &self.key_pool, &self.value_pool], name)
    }
}

/// Where the blocks of each sequence's heads lie in a pool of single heads' blocks, head by head.
fn places(table: &Array, kv_heads: usize) -> Result<Tensor, TchError> {
    let mut places = Vec::with_capacity(table.len() * kv_heads);
    for row in table.of::<i32>().chunks_exact(table.width()) {
        for head in 0..kv_heads as i64 {
            // Where a sequence has no block, any will do: its keys are hidden.
            places.extend(row.iter().map(|entry| i64::from(*entry).max(0) * kv_heads as i64 + head));
        }
    }
    Tensor::f_from_slice(&places)
}

fn keep(inputs: &Inputs, block_size: usize) -> Result<Tensor, TchError> {
    let (lengths, keys) = (inputs.get("lengths").of::<i32>(), inputs.get("table").width() * block_size);
    let seen = lengths.iter().flat_map(|length| (0..keys).map(move |key| key < *length as usize));
    let seen: Vec<bool> = seen.collect();
    Tensor::f_from_slice(&seen)?.f_reshape([lengths.len() as i64, 1, 1, keys as i64])
}
