//! Scaled dot-product attention: its inputs on a device, burn's, ours, and your own.

use benchbook_core::{DType, Figure, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::{upload, upload_mask};
use crate::flex::{Custom, TensorSubject, burn_engine, fused, fused_engine, open};

/// Inputs of one attention call on a device.
pub struct AttentionInputs {
    /// `[batch, heads, seq_q, head_dim]`
    pub query: Tensor<4>,
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub key: Tensor<4>,
    /// `[batch, kv_heads, seq_kv, head_dim]`
    pub value: Tensor<4>,
    /// `[batch, 1, seq_q, seq_kv]`, true where a key is hidden, as burn has it.
    pub mask: Option<Tensor<4, Bool>>,
    /// Whether a query sees no key after its own position.
    pub causal: bool,
}

impl NamedInputs for AttentionInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["query", "key", "value"], [&mut self.query, &mut self.key, &mut self.value], name)
    }
}

impl NamedInputs for [Tensor<4>; 3] {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["query", "key", "value"], self, name)
    }
}

impl AttentionInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let tensor = |name: &str| upload(inputs.get(name), device, setting.dtype);
        let one = |_| Self {
            query: tensor("query"),
            key: tensor("key"),
            value: tensor("value"),
            mask: params.flag("masked").then(|| upload_mask(inputs.get("mask"), device)),
            causal: params.flag("causal"),
        };
        (0..setting.copies).map(one).collect()
    }
}

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
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = AttentionInputs::upload(setting, &device, params, inputs);
        let subject = TensorSubject::new(self.name(), &setting.device, device, copies, by_burn);
        let flash = params.size("seq_q") * params.size("seq_kv") > SCORES_IN_MEMORY;
        Ok(Box::new(subject.with_figures(vec![Figure::modelled("flash_path", f64::from(flash), "bool")])))
    }
}

fn by_burn(inputs: &AttentionInputs) -> Tensor<4> {
    let options = AttentionModuleOptions { is_causal: inputs.causal, ..Default::default() };
    let (query, key, value) = (inputs.query.clone(), inputs.key.clone(), inputs.value.clone());
    attention(query, key, value, inputs.mask.clone(), None, options)
}

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
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, by_hand)))
    }
}

fn by_hand(inputs: &AttentionInputs) -> Result<Tensor<4>> {
    let AttentionInputs { query, key, value, mask, causal } = inputs;
    let options = fused::Options { causal: *causal, ..Default::default() };
    fused::attention(query.clone(), key.clone(), value.clone(), mask.clone(), options)
}

/// An implementation of `attention` from a function that gives `[batch, heads, seq_q, head_dim]`.
///
/// The function must respect `mask` (true hides a key) and `causal` (aligned to the bottom right), and may meet
/// fewer heads in `key` and `value` than in `query`: its output is compared with the reference like any other.
pub fn custom(
    name: &str,
    call: impl Fn(&AttentionInputs) -> Tensor<4> + Send + Sync + 'static,
) -> Custom<AttentionInputs, 4> {
    Custom::new("attention", name, AttentionInputs::upload, call)
}
