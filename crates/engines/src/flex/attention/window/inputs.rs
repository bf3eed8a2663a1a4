//! Inputs of windowed attention on a device.

use benchbook_core::{Inputs, Params, Setting};
use burn::tensor::{Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;

/// Inputs of one call.
pub struct WindowInputs {
    /// `[batch, heads, seq, head_dim]`, not rotated yet.
    pub query: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`, not rotated yet.
    pub key: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`
    pub value: Tensor<4>,
    /// Keys that a query sees at most, its own included.
    pub window: usize,
}

impl NamedInputs for WindowInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["query", "key", "value"], [&mut self.query, &mut self.key, &mut self.value], name)
    }
}

impl WindowInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let tensor = |name: &str| upload(inputs.get(name), device, setting.dtype);
        let window = params.size("window_size");
        let one = |_| Self { query: tensor("query"), key: tensor("key"), value: tensor("value"), window };
        (0..setting.copies).map(one).collect()
    }
}
