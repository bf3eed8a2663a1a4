//! Keys read where they lie.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::PagedInputs;
use crate::flex::attention::fused_engine;
use crate::flex::{TensorSubject, fused, open};

/// Hand-written: follows the table block by block, every key read once, the keys of a head shared among threads.
pub struct Paged;

impl Implementation for Paged {
    fn name(&self) -> &'static str {
        "paged"
    }

    fn workload(&self) -> &'static str {
        "paged-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written: follows the block table, reads every key where it lies (PagedAttention, arXiv 2309.06180)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT9"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F32, DType::Bf16], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, _params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = PagedInputs::upload(setting, &device, inputs);
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, attend)))
    }
}

fn attend(inputs: &PagedInputs) -> Result<Tensor<4>> {
    let [query, key_pool, value_pool] = [&inputs.query, &inputs.key_pool, &inputs.value_pool].map(Tensor::clone);
    fused::paged_attention(query, key_pool, value_pool, &inputs.pages, fused::Options::default())
}
