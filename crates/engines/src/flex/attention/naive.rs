//! Attention that materialises its scores.

use benchbook_core::{Implementation, Inputs, Params, Result, Setting, Subject};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Tensor};

use super::AttentionInputs;
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, open};

/// Matmul, mask, softmax, matmul: the scores `[batch, heads, seq_q, seq_kv]` live in memory.
///
/// Source: Vaswani et al., arXiv 1706.03762, equation 1.
pub struct Naive;

/// The inputs with every hidden position, causal ones included, in one mask made before timing.
pub(super) struct Prepared {
    inputs: AttentionInputs,
    hidden: Option<Tensor<4, Bool>>,
}

impl NamedInputs for Prepared {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Prepared {
    pub(super) fn new(inputs: AttentionInputs) -> Self {
        Self { hidden: hidden(&inputs), inputs }
    }
}

impl Implementation for Naive {
    fn name(&self) -> &'static str {
        "naive"
    }

    fn workload(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "matmul, softmax, matmul with the scores in memory (arXiv 1706.03762, eq. 1)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT1"]
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn engine(&self, device: &str) -> (String, String) {
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let copies = AttentionInputs::upload(setting, &device, params, inputs);
        let prepared = copies.into_iter().map(Prepared::new).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, prepared, attend)))
    }
}

/// Where a key is hidden from a query, by the mask or by causality.
fn hidden(inputs: &AttentionInputs) -> Option<Tensor<4, Bool>> {
    let [_, _, seq_q, _] = inputs.query.dims();
    let [_, _, seq_kv, _] = inputs.key.dims();
    let causal = inputs.causal.then(|| {
        let offset = seq_kv as i64 - seq_q as i64;
        // burn's tril_mask is true outside the lower triangle.
        Tensor::<2, Bool>::tril_mask([seq_q, seq_kv], offset, &inputs.query.device()).unsqueeze::<4>()
    });
    match (&inputs.mask, causal) {
        (Some(mask), Some(causal)) => Some(mask.clone().bool_or(causal.expand(mask.dims()))),
        (Some(mask), None) => Some(mask.clone()),
        (None, causal) => causal,
    }
}

/// Repeats each key or value head for the query heads that share it (Ainslie et al., arXiv 2305.13245).
fn repeat_heads(tensor: &Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, kv_heads, seq, head_dim] = tensor.dims();
    if kv_heads == heads {
        return tensor.clone();
    }
    let group = heads / kv_heads;
    tensor
        .clone()
        .reshape([batch, kv_heads, 1, seq, head_dim])
        .expand([batch, kv_heads, group, seq, head_dim])
        .reshape([batch, heads, seq, head_dim])
}

pub(super) fn attend(prepared: &Prepared) -> Tensor<4> {
    let inputs = &prepared.inputs;
    let [_, heads, _, head_dim] = inputs.query.dims();
    let key = repeat_heads(&inputs.key, heads);
    let value = repeat_heads(&inputs.value, heads);
    let query = inputs.query.clone().mul_scalar(1.0 / (head_dim as f64).sqrt());
    let mut scores = query.matmul(key.swap_dims(2, 3));
    if let Some(hidden) = &prepared.hidden {
        let hidden = hidden.clone().expand(scores.dims());
        scores = scores.mask_fill(hidden, f32::NEG_INFINITY);
    }
    softmax(scores, 3).matmul(value)
}
