//! Keys gathered first.

use benchbook_core::{Implementation, Inputs, Params, Result, Setting, Subject};
use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::PagedInputs;
use crate::flex::attention::AttentionInputs;
use crate::flex::attention::naive::{Prepared, attend};
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::{CPU_DEVICES, TensorSubject, matmul, open};

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
        matmul::burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = PagedInputs::upload(setting, &device, inputs).into_iter().map(indexed).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, gather)))
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

fn gather(indexed: &Indexed) -> Tensor<4> {
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
