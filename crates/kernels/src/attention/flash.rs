//! burn's fused attention.

use benchbook_core::{Implementation, Inputs, Params, Result, Setting, Subject};
use burn::tensor::Tensor;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

use super::AttentionInputs;
use crate::{TensorSubject, matmul, open};

/// burn-flex's fused attention: tiles of the keys with an online softmax, scores never in memory
/// beyond 256 Ki of them (Dao, arXiv 2307.08691, section 3.1; followed by burn-flex 0.22.1).
///
/// Only on `flex`: on libtorch burn hands its mask over with the opposite meaning and aligns
/// `causal` to the top left, so the library's own call stands there as `torch-sdpa`.
pub struct Flash;

impl Implementation for Flash {
    fn name(&self) -> &'static str {
        "flash"
    }

    fn workload(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "burn's fused attention, tiled with an online softmax (arXiv 2307.08691; burn-flex 0.22.1)"
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn engine(&self, device: &str) -> (String, String) {
        matmul::burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = AttentionInputs::upload(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, attend)))
    }
}

fn attend(inputs: &AttentionInputs) -> Tensor<4> {
    let options = AttentionModuleOptions { is_causal: inputs.causal, ..Default::default() };
    let (query, key, value) = (inputs.query.clone(), inputs.key.clone(), inputs.value.clone());
    attention(query, key, value, inputs.mask.clone(), None, options)
}
