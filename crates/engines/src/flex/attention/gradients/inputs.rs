//! Inputs of a training step on a device.

use benchbook_core::{Inputs, Params, Setting};
use burn::tensor::{Device, Tensor};

use crate::flex::attention::AttentionInputs;
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::upload;

/// Inputs of one forward and backward pass.
pub struct GradientInputs {
    /// The forward pass's.
    pub forward: AttentionInputs,
    /// `[batch, heads, seq_q, head_dim]`: the gradient of the result.
    pub grad: Tensor<4>,
}

impl NamedInputs for GradientInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "grad" { Some(&mut self.grad) } else { self.forward.input(name) }
    }
}

impl GradientInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let params = params.clone().with("masked", benchbook_core::Value::Bool(false));
        let all = AttentionInputs::upload(setting, device, &params, inputs).into_iter();
        all.map(|forward| Self { forward, grad: upload(inputs.get("grad"), device, setting.dtype) }).collect()
    }
}
