//! Attention's inputs on a device.

use benchbook_core::{Inputs, Params, Setting};
use burn::tensor::{Bool, Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::{upload, upload_mask};

/// Inputs of one attention call on a device.
pub struct AttentionInputs {
    /// `[batch, heads, seq_q, head_dim]`
    pub query: Tensor<4>,
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub key: Tensor<4>,
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub value: Tensor<4>,
    /// `[batch, 1, seq_q, seq_kv]`, true where a key is hidden, as burn has it.
    pub mask: Option<Tensor<4, Bool>>,
    /// Whether a query sees no key after its own position.
    pub causal: bool,
}

impl NamedInputs for AttentionInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["query", "key", "value"], [&mut self.query, &mut self.key, &mut self.value], name)
    }
}

impl NamedInputs for [Tensor<4>; 3] {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["query", "key", "value"], self, name)
    }
}

impl AttentionInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let tensor = |name: &str| upload(inputs.get(name), device, setting.dtype);
        let one = |_| Self {
            query: tensor("query"),
            key: tensor("key"),
            value: tensor("value"),
            mask: params.flag("masked").then(|| upload_mask(inputs.get("mask"), device)),
            causal: params.flag("causal"),
        };
        (0..setting.copies).map(one).collect()
    }
}
