//! burn's own attention.

use benchbook_core::{Figure, Implementation, Inputs, Params, Result, Setting, Subject};
use burn::tensor::Tensor;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

use super::AttentionInputs;
use crate::flex::{TensorSubject, matmul, open};

/// burn's operation `attention`, whatever path it takes, which the figure `flash_path` records.
///
/// burn-flex 0.22.1 keeps all scores of a head in memory up to 256 Ki of them (512 × 512). Only above that does it take
/// tiles of the keys with an online softmax, which is flash attention (Dao, arXiv 2307.08691, section 3.1).
///
/// Only on `flex`: on libtorch burn hands its mask over with the opposite meaning and aligns
/// `causal` to the top left, so the library's own call stands there as `torch-sdpa`.
pub struct BurnAttention;

/// Scores of a head that burn-flex keeps in memory at most: `NAIVE_SCORE_BUDGET` of its `ops::attention`.
const SCORES_IN_MEMORY: usize = 256 * 1024;

impl Implementation for BurnAttention {
    fn name(&self) -> &'static str {
        "burn-attention"
    }

    fn workload(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "burn's own attention: a head's scores in memory up to 256 Ki, tiles above (arXiv 2307.08691; burn-flex 0.22.1)"
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
        let subject = TensorSubject::new(self.name(), &setting.device, device, copies, attend);
        let flash = params.size("seq_q") * params.size("seq_kv") > SCORES_IN_MEMORY;
        Ok(Box::new(subject.with_figures(vec![Figure::modelled("flash_path", f64::from(flash), "bool")])))
    }
}

fn attend(inputs: &AttentionInputs) -> Tensor<4> {
    let options = AttentionModuleOptions { is_causal: inputs.causal, ..Default::default() };
    let (query, key, value) = (inputs.query.clone(), inputs.key.clone(), inputs.value.clone());
    attention(query, key, value, inputs.mask.clone(), None, options)
}
