//! The whole sequence in one memory.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::AttentionInputs;
use crate::flex::tensor::upload;
use crate::flex::{TensorSubject, fused, fused_engine, open};

/// Our fused attention in one worker, which holds the whole sequence: what a ring is compared with. All its threads
/// share it.
pub struct Whole;

impl Implementation for Whole {
    fn name(&self) -> &'static str {
        "whole"
    }

    fn workload(&self) -> &'static str {
        "ring-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written fused attention with the whole sequence in one memory (arXiv 2307.08691)"
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
        let tensor = |name: &str| upload(inputs.get(name), &device, setting.dtype);
        let (mask, causal) = (None, params.flag("causal"));
        let one = |_| AttentionInputs {
            query: tensor("query"),
            key: tensor("key"),
            value: tensor("value"),
            mask: mask.clone(),
            causal,
        };
        let copies = (0..setting.copies).map(one).collect();
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, attend)))
    }
}

fn attend(inputs: &AttentionInputs) -> Result<Tensor<4>> {
    let [query, key, value] = [&inputs.query, &inputs.key, &inputs.value].map(Tensor::clone);
    let options = fused::Options { causal: inputs.causal, ..Default::default() };
    fused::attention(query, key, value, None, options)
}
