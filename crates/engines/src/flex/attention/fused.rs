//! Our fused attention.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::AttentionInputs;
use crate::flex::{TensorSubject, fused, open};

/// Hand-written for CPUs: queries as columns of registers, tiles of keys from the cache, online softmax (Dao,
/// arXiv 2307.08691, algorithm 1); few queries read every key once (FlashDecoding).
pub struct Fused;

impl Implementation for Fused {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn workload(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "hand-written fused attention: AVX-512, AVX2 or portable, tiles of keys, online softmax (arXiv 2307.08691)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT5"]
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

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = AttentionInputs::upload(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, attend)))
    }
}

/// Engine and version of the hand-written kernels: the instruction set is what makes them fast.
pub(crate) fn fused_engine() -> (String, String) {
    let isa = benchbook_simd::Isa::detect().name();
    ("benchbook-simd".to_owned(), format!("{} {isa}", env!("CARGO_PKG_VERSION")))
}

fn attend(inputs: &AttentionInputs) -> Result<Tensor<4>> {
    let AttentionInputs { query, key, value, mask, causal } = inputs;
    let options = fused::Options { causal: *causal, ..Default::default() };
    fused::attention(query.clone(), key.clone(), value.clone(), mask.clone(), options)
}
