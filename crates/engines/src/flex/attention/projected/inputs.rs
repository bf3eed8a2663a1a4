//! Inputs of attention with projections on a device.

use benchbook_core::{Inputs, Params, Setting};
use burn::tensor::{Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;

/// Inputs of one call; `hidden` is `heads · head_dim`.
pub struct ProjectedInputs {
    /// `[batch, seq, hidden]`
    pub input: Tensor<3>,
    /// `[hidden, heads · head_dim]`
    pub query: Tensor<2>,
    /// `[hidden, kv_heads · head_dim]`
    pub key: Tensor<2>,
    /// `[hidden, kv_heads · head_dim]`
    pub value: Tensor<2>,
    /// `[heads · head_dim, hidden]`
    pub out: Tensor<2>,
    /// Query heads, and key and value heads.
    pub heads: [usize; 2],
    /// Whether a position sees none after itself.
    pub causal: bool,
}

impl NamedInputs for ProjectedInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "input" {
            return Some(&mut self.input);
        }
        let weights = [&mut self.query, &mut self.key, &mut self.value, &mut self.out];
        find(&["w_query", "w_key", "w_value", "w_out"], weights, name)
    }
}

impl ProjectedInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let weights = |name: &str| upload::<2>(inputs.get(name), device, setting.dtype);
        let one = |_| Self {
            input: upload(inputs.get("input"), device, setting.dtype),
            query: weights("w_query"),
            key: weights("w_key"),
            value: weights("w_value"),
            out: weights("w_out"),
            heads: ["heads", "kv_heads"].map(|name| params.size(name)),
            causal: params.flag("causal"),
        };
        (0..setting.copies).map(one).collect()
    }
}
