//! Paged decoding: blocks gathered, then `scaled_dot_product_attention`.

use benchbook_core::{HostArray, Inputs, Params, Setting};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Torch, any};
use super::subject::{NamedInputs, find};

/// What one does in PyTorch without a kernel for it (EN1): `index_select` copies the blocks of every head of every sequence
/// together, once, and what lies behind the last key of a sequence is masked. Indices and mask are made before timing.
pub const SDPA_PAGED: Torch<Call, 1> = Torch {
    name: "torch-sdpa",
    workload: "paged-attention",
    about: "libtorch 2.9.0 index_select of the blocks, scaled_dot_product_attention with the padding masked",
    supports: any,
    inputs: prepared,
    call: attend,
};

pub struct Call {
    query: Tensor,
    key_pool: Tensor,
    value_pool: Tensor,
    /// `[batch · kv_heads · entries]`: blocks of single heads.
    places: Tensor,
    /// `[batch, 1, 1, entries · block]`, true where a key is seen: torch's meaning.
    keep: Tensor,
    grouped: bool,
}

impl NamedInputs for Call {
    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["query", "key_pool", "value_pool"], &[&self.query, &self.key_pool, &self.value_pool], name)
    }
}

fn prepared(setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Call, TchError> {
    let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
    Ok(Call {
        query: tensor("query")?,
        key_pool: tensor("key_pool")?,
        value_pool: tensor("value_pool")?,
        places: places(inputs.get("table"), params.int("kv_heads"))?,
        keep: keep(inputs, params.size("block"))?,
        grouped: params.int("heads") != params.int("kv_heads"),
    })
}

/// Where the blocks of each sequence's heads lie in a pool of single heads' blocks, head by head.
fn places(table: &HostArray, kv_heads: i64) -> Result<Tensor, TchError> {
    let mut places = Vec::with_capacity(table.data.len() * kv_heads as usize);
    for row in table.data.chunks_exact(table.width()) {
        for head in 0..kv_heads {
            // Where a sequence has no block, any will do: its keys are hidden.
            places.extend(row.iter().map(|entry| (*entry as i64).max(0) * kv_heads + head));
        }
    }
    Tensor::f_from_slice(&places)
}

fn keep(inputs: &Inputs, block: usize) -> Result<Tensor, TchError> {
    let (lengths, keys) = (&inputs.get("lengths").data, inputs.get("table").width() * block);
    let seen = lengths.iter().flat_map(|length| (0..keys).map(move |key| key < *length as usize));
    let seen: Vec<bool> = seen.collect();
    Tensor::f_from_slice(&seen)?.f_reshape([lengths.len() as i64, 1, 1, keys as i64])
}

fn attend(call: &Call) -> Result<[Tensor; 1], TchError> {
    let Call { query, key_pool, value_pool, places, keep, grouped } = call;
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
