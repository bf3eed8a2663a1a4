//! Scaled dot-product attention: its inputs on a device, burn's, ours, and your own.

use benchbook_core::{DType, Inputs, Metric, Result, Row};
use benchbook_workloads::attention::{Attention, AttentionParams, RingAttention, RingAttentionParams};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};

use super::naive::NAIVE;
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows, find, prepare};
use crate::flex::tensor::Target;
use crate::flex::{Custom, TensorSubject, burn_engine, fused};

/// Implementations of `attention`.
pub const ROWS: [Row<Attention>; 3] = [NAIVE, BURN_ATTENTION, FUSED];

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

/// Query, key and value on a device.
pub(super) fn attended(on: &Target, inputs: &Inputs) -> [Tensor<4>; 3] {
    ["query", "key", "value"].map(|name| on.upload(inputs.get(name)))
}

impl AttentionInputs {
    /// One copy of the inputs of a case.
    ///
    /// # Errors
    /// None: it is one of the functions that may refuse a case.
    pub fn upload(on: &Target, params: &AttentionParams, inputs: &Inputs) -> Result<Self> {
        let mask = params.masked.then(|| on.upload_mask(inputs.get("mask")));
        Ok(Self { mask, ..Self::unmasked(on, inputs, params.causal) })
    }

    /// One copy of the inputs of a case without a mask.
    pub(super) fn unmasked(on: &Target, inputs: &Inputs, causal: bool) -> Self {
        let [query, key, value] = attended(on, inputs);
        Self { query, key, value, mask: None, causal }
    }

    /// Query, key and value.
    pub(super) fn attended(&self) -> [&Tensor<4>; 3] {
        [&self.query, &self.key, &self.value]
    }
}

/// burn's operation `attention`, whatever path it takes, which the metric `flash_path` records.
///
/// burn-flex 0.22.1 keeps all scores of a head in memory up to 256 Ki of them (512 × 512). Only above that does it take
/// tiles of the keys with an online softmax, which is flash attention (Dao, arXiv 2307.08691, section 3.1).
///
/// Only on `flex`: on libtorch burn hands its mask over with the opposite meaning and aligns
/// `causal` to the top left, so the library's own call stands there as `torch-sdpa`.
pub const BURN_ATTENTION: Row<Attention> = Row::<Attention>::new(
    "burn-attention",
    "burn's own attention: a head's scores in memory up to 256 Ki, tiles above (arXiv 2307.08691; burn-flex)",
    &["flex"],
    &DType::FLOATS,
    burn_engine,
    |name, setting, params, inputs| {
        let subject = TensorSubject::uploaded(name, setting, params, inputs, AttentionInputs::upload, by_burn)?;
        let flash = params.seq_q * params.seq_kv > SCORES_IN_MEMORY;
        Ok(Box::new(subject.with_metrics(vec![Metric::modelled("flash_path", f64::from(flash), "bool")])))
    },
);

/// Scores of a head that burn-flex keeps in memory at most: `NAIVE_SCORE_BUDGET` of its `ops::attention`.
const SCORES_IN_MEMORY: usize = 256 * 1024;

fn by_burn(inputs: &AttentionInputs) -> Result<[Tensor<4>; 1]> {
    let options = AttentionModuleOptions { is_causal: inputs.causal, ..Default::default() };
    let [query, key, value] = inputs.attended().map(Tensor::clone);
    Ok([attention(query, key, value, inputs.mask.clone(), None, options)])
}

/// Hand-written for CPUs: queries as columns of registers, tiles of keys from the cache, online softmax (Dao,
/// arXiv 2307.08691, algorithm 1); few queries read every key once (FlashDecoding).
pub const FUSED: Row<Attention> = fused_row::<Attention>(
    "fused",
    "hand-written fused attention: AVX-512, AVX2 or portable, tiles of keys, online softmax (arXiv 2307.08691)",
    &[DType::F32, DType::Bf16],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, AttentionInputs::upload, by_hand),
)
.catalogue(&["AT5"]);

pub(super) fn by_hand(inputs: &AttentionInputs) -> Result<[Tensor<4>; 1]> {
    let options = fused::Options { causal: inputs.causal, ..Default::default() };
    let [query, key, value] = inputs.attended().map(Tensor::clone);
    Ok([fused::attention(query, key, value, inputs.mask.clone(), options)?])
}

/// An implementation of `attention` from a function that gives `[batch, heads, seq_q, head_dim]`.
///
/// The function must respect `mask` (true hides a key) and `causal` (aligned to the bottom right), and may meet
/// fewer heads in `key` and `value` than in `query`: its output is compared with the reference like any other.
pub fn custom(
    name: &str,
    call: impl Fn(&AttentionInputs) -> Tensor<4> + Send + Sync + 'static,
) -> Custom<Attention, AttentionInputs, 4> {
    Custom::<Attention, _, 4>::new(name, AttentionInputs::upload, call)
}

/// Our fused attention in one worker, which holds the whole sequence: what a ring is compared with. All its threads
/// share it.
pub const WHOLE: Row<RingAttention> = fused_row::<RingAttention>(
    "whole",
    "hand-written fused attention with the whole sequence in one memory (arXiv 2307.08691)",
    &[DType::F32],
    |name, setting, params, inputs| {
        let upload = |on: &Target, params: &RingAttentionParams, inputs: &Inputs| {
            Ok(AttentionInputs::unmasked(on, inputs, params.causal))
        };
        prepare(name, setting, params, inputs, upload, by_hand)
    },
);
