//! Decoding over a cache in blocks: keys gathered first, and read where they lie.

use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::AttentionInputs;
use super::naive::{Prepared, attend};
use crate::flex::fused::Pages;
use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, fused, fused_engine, open};

/// Inputs of one call.
pub struct PagedInputs {
    /// `[batch, heads, 1, head_dim]`
    pub query: Tensor<4>,
    /// `[blocks, kv_heads, block, head_dim]`
    pub key_pool: Tensor<4>,
    /// `[blocks, kv_heads, block, head_dim]`
    pub value_pool: Tensor<4>,
    /// Who has which block; on the host, where a scheduler keeps it.
    pub pages: Arc<Pages>,
}

impl NamedInputs for PagedInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        let tensors = [&mut self.query, &mut self.key_pool, &mut self.value_pool];
        find(&["query", "key_pool", "value_pool"], tensors, name)
    }
}

impl PagedInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, inputs: &Inputs) -> Vec<Self> {
        let tensor = |name: &str| upload(inputs.get(name), device, setting.dtype);
        let pages = Arc::new(Pages {
            table: inputs.get("table").data.iter().map(|entry| *entry as i32).collect(),
            lengths: inputs.get("lengths").data.iter().map(|length| *length as usize).collect(),
        });
        let one = |_| Self {
            query: tensor("query"),
            key_pool: tensor("key_pool"),
            value_pool: tensor("value_pool"),
            pages: Arc::clone(&pages),
        };
        (0..setting.copies).map(one).collect()
    }
}

/// Copies the blocks of each sequence together, then attends with the rest masked: what one does without a kernel for it.
pub struct Gathered;

/// Inputs with the table as indices on the device, and the places behind each sequence's last key hidden.
struct Indexed {
    inputs: PagedInputs,
    /// `[batch · entries]`
    blocks: Tensor<1, Int>,
    /// `[batch, 1, 1, entries · block]`
    hidden: Tensor<4, Bool>,
}

impl NamedInputs for Indexed {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for Gathered {
    fn name(&self) -> &'static str {
        "gathered"
    }

    fn workload(&self) -> &'static str {
        "paged-attention"
    }

    fn about(&self) -> &'static str {
        "blocks gathered into one array by burn's select, then matmul, softmax, matmul with a mask"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn engine(&self, device: &str) -> (String, String) {
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = PagedInputs::upload(setting, &device, inputs).into_iter().map(indexed).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, by_burn)))
    }
}

fn indexed(inputs: PagedInputs) -> Indexed {
    let device = inputs.query.device();
    let (batch, block) = (inputs.pages.lengths.len(), inputs.key_pool.dims()[2]);
    let keys = inputs.pages.table.len() / batch * block;
    // Where a sequence has no block, any will do: its keys are hidden.
    let blocks: Vec<i32> = inputs.pages.table.iter().map(|entry| (*entry).max(0)).collect();
    let blocks = Tensor::from_data(TensorData::new(blocks, [batch * keys / block]), &device);
    let hidden = inputs.pages.lengths.iter().flat_map(|length| (0..keys).map(move |key| key >= *length)).collect();
    let hidden = Tensor::from_data(TensorData::new::<bool, _>(hidden, [batch, 1, 1, keys]), &device);
    Indexed { inputs, blocks, hidden }
}

fn by_burn(indexed: &Indexed) -> Tensor<4> {
    let Indexed { inputs, blocks, hidden } = indexed;
    let [_, kv_heads, block, head_dim] = inputs.key_pool.dims();
    let [batch, _, _, keys] = hidden.dims();
    let together = |pool: &Tensor<4>| {
        let gathered = pool.clone().select(0, blocks.clone());
        let blocks = gathered.reshape([batch, keys / block, kv_heads, block, head_dim]).swap_dims(1, 2);
        blocks.reshape([batch, kv_heads, keys, head_dim])
    };
    attend(&Prepared::new(AttentionInputs {
        query: inputs.query.clone(),
        key: together(&inputs.key_pool),
        value: together(&inputs.value_pool),
        mask: Some(hidden.clone()),
        causal: false,
    }))
}

/// Hand-written: follows the table block by block, every key read once, the keys of a head shared among threads.
pub struct Paged;

impl Implementation for Paged {
    fn name(&self) -> &'static str {
        "paged"
    }

    fn workload(&self) -> &'static str {
        "paged-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written: follows the block table, reads every key where it lies (PagedAttention, arXiv 2309.06180)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT9"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F32, DType::Bf16], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = PagedInputs::upload(setting, &device, inputs);
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, by_hand)))
    }
}

fn by_hand(inputs: &PagedInputs) -> Result<Tensor<4>> {
    let [query, key_pool, value_pool] = [&inputs.query, &inputs.key_pool, &inputs.value_pool].map(Tensor::clone);
    fused::paged_attention(query, key_pool, value_pool, &inputs.pages, fused::Options::default())
}
