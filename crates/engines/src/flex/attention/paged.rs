//! Decoding over a cache in blocks: keys gathered first, and read where they lie.

use std::sync::Arc;

use benchbook_core::{DType, Inputs, Result, Row};
use benchbook_workloads::attention::{PagedAttention, PagedAttentionParams};
use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::naive::attend;
use crate::flex::fused::{self, Pages};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::{NamedInputs, Rows, find, prepare};
use crate::flex::tensor::Target;

/// Implementations of `paged-attention`.
pub const ROWS: [Row<PagedAttention>; 2] = [GATHERED, PAGED];

/// Inputs of one call.
struct PagedInputs {
    /// `[batch, heads, 1, head_dim]`
    query: Tensor<4>,
    /// `[blocks, kv_heads, block_size, head_dim]`
    key_pool: Tensor<4>,
    /// `[blocks, kv_heads, block_size, head_dim]`
    value_pool: Tensor<4>,
    /// Who has which block; on the host, where a scheduler keeps it.
    pages: Arc<Pages>,
}

impl NamedInputs for PagedInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        let tensors = [&mut self.query, &mut self.key_pool, &mut self.value_pool];
        find(&["query", "key_pool", "value_pool"], tensors, name)
    }
}

fn upload(on: &Target, _params: &PagedAttentionParams, inputs: &Inputs) -> Result<PagedInputs> {
    let [query, key_pool, value_pool] = ["query", "key_pool", "value_pool"].map(|name| on.upload(inputs.get(name)));
    let pages = Pages {
        table: inputs.get("table").of::<i32>().to_vec(),
        lengths: inputs.get("lengths").of::<i32>().iter().map(|length| *length as usize).collect(),
    };
    Ok(PagedInputs { query, key_pool, value_pool, pages: Arc::new(pages) })
}

/// Copies the blocks of each sequence together, then attends with the rest masked: what one does without a kernel for it.
pub const GATHERED: Row<PagedAttention> = burn_row::<PagedAttention>(
    "gathered",
    "blocks gathered into one array by burn's select, then matmul, softmax, matmul with a mask",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, indexed, by_burn),
);

/// The table as indices on the device, and the places behind each sequence's last key hidden.
struct Places {
    /// `[batch · entries]`
    blocks: Tensor<1, Int>,
    /// `[batch, 1, 1, entries · block_size]`
    hidden: Tensor<4, Bool>,
}

fn indexed(on: &Target, params: &PagedAttentionParams, inputs: &Inputs) -> Result<(PagedInputs, Places)> {
    let inputs = upload(on, params, inputs)?;
    let Pages { table, lengths } = &*inputs.pages;
    let (batch, keys) = (lengths.len(), table.len() / lengths.len() * params.block_size);
    // Where a sequence has no block, any will do: its keys are hidden.
    let blocks: Vec<i32> = table.iter().map(|entry| (*entry).max(0)).collect();
    let blocks = Tensor::from_data(TensorData::new(blocks, [table.len()]), &on.device);
    let hidden = lengths.iter().flat_map(|length| (0..keys).map(move |key| key >= *length)).collect();
    let hidden = Tensor::from_data(TensorData::new::<bool, _>(hidden, [batch, 1, 1, keys]), &on.device);
    Ok((inputs, Places { blocks, hidden }))
}

fn by_burn((inputs, Places { blocks, hidden }): &(PagedInputs, Places)) -> Result<[Tensor<4>; 1]> {
    let [_, kv_heads, block, head_dim] = inputs.key_pool.dims();
    let [batch, _, _, keys] = hidden.dims();
    let together = |pool: &Tensor<4>| {
        let gathered = pool.clone().select(0, blocks.clone());
        let blocks = gathered.reshape([batch, keys / block, kv_heads, block, head_dim]).swap_dims(1, 2);
        blocks.reshape([batch, kv_heads, keys, head_dim])
    };
    let (key, value) = (together(&inputs.key_pool), together(&inputs.value_pool));
    Ok([attend([&inputs.query, &key, &value], Some(hidden))])
}

/// Hand-written: follows the table block by block, every key read once, the keys of a head shared among threads.
pub const PAGED: Row<PagedAttention> = fused_row::<PagedAttention>(
    "paged",
    "hand-written: follows the block table, reads every key where it lies (PagedAttention, arXiv 2309.06180)",
    &[DType::F32, DType::Bf16],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, upload, by_hand),
)
.catalogue(&["AT9"]);

fn by_hand(inputs: &PagedInputs) -> Result<[Tensor<4>; 1]> {
    let [query, key_pool, value_pool] = [&inputs.query, &inputs.key_pool, &inputs.value_pool].map(Tensor::clone);
    Ok([fused::paged_attention(query, key_pool, value_pool, &inputs.pages, fused::Options::default())?])
}
