//! Contextual positions in a hand-written kernel.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::ContextualInputs;
use crate::flex::attention::fused_engine;
use crate::flex::{TensorSubject, fused, open};

/// Fused attention that visits keys from the last to the first: gates add up on the way, in registers, and neither scores nor
/// positions are ever in memory beyond a tile.
pub struct FusedContextual;

impl Implementation for FusedContextual {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn workload(&self) -> &'static str {
        "contextual-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written: keys from the last to the first, gates added up in registers, online softmax (arXiv 2405.18719)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT10"]
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

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = ContextualInputs::upload(setting, &device, inputs);
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, attend)))
    }
}

fn attend(inputs: &ContextualInputs) -> Result<Tensor<4>> {
    let [query, key, value] = [&inputs.query, &inputs.key, &inputs.value].map(Tensor::clone);
    fused::contextual_attention(query, key, value, inputs.embedding.clone(), None)
}
