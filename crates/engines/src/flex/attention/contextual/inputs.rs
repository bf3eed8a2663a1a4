//! Inputs of contextual attention on a device.

use benchbook_core::{Inputs, Setting};
use burn::tensor::{Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;

/// Inputs of one call.
pub struct ContextualInputs {
    /// `[batch, heads, seq, head_dim]`
    pub query: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`
    pub key: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`
    pub value: Tensor<4>,
    /// `[positions, head_dim]`, shared by all heads.
    pub embedding: Tensor<2>,
}

impl NamedInputs for ContextualInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "embedding" {
            return Some(&mut self.embedding);
        }
        find(&["query", "key", "value"], [&mut self.query, &mut self.key, &mut self.value], name)
    }
}

impl ContextualInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, inputs: &Inputs) -> Vec<Self> {
        let tensor = |name: &str| upload(inputs.get(name), device, setting.dtype);
        let embedding = || upload(inputs.get("embedding"), device, setting.dtype);
        let one =
            |_| Self { query: tensor("query"), key: tensor("key"), value: tensor("value"), embedding: embedding() };
        (0..setting.copies).map(one).collect()
    }
}
