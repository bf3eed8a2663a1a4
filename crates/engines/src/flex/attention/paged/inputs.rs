//! Inputs of paged decoding on a device.

use std::sync::Arc;

use benchbook_core::{Inputs, Setting};
use burn::tensor::{Device, Tensor};

use crate::flex::fused::Pages;
use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;

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
