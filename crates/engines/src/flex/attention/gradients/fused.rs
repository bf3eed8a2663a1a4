//! Our gradients of attention.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::GradientInputs;
use crate::flex::attention::fused_engine;
use crate::flex::{TensorSubject, fused, open};

/// FlashAttention-2, forward and backward (Dao, arXiv 2307.08691, algorithms 1 and 2): the forward pass keeps one number
/// for each query, the backward pass computes the weights again, tile by tile.
pub struct FusedGradients;

impl Implementation for FusedGradients {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn workload(&self) -> &'static str {
        "attention-gradients"
    }

    fn about(&self) -> &'static str {
        "hand-written FlashAttention-2, forward and backward, scores never in memory (arXiv 2307.08691)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT2"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F32], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = GradientInputs::upload(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::several(self.name(), &setting.device, device, copies, gradients)))
    }
}

fn gradients(inputs: &GradientInputs) -> Result<[Tensor<4>; 3]> {
    let forward = &inputs.forward;
    let options = fused::Options { causal: forward.causal, ..Default::default() };
    let [query, key, value] = [&forward.query, &forward.key, &forward.value].map(Tensor::clone);
    fused::attention_gradients(query, key, value, inputs.grad.clone(), options)
}
