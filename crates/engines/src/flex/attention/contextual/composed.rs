//! Contextual positions as tensor operations.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Bool, DType as BurnDType, Tensor};

use super::ContextualInputs;
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::burn_dtype;
use crate::flex::{CPU_DEVICES, TensorSubject, matmul, open};

/// Sigmoid, a cumulative sum over reversed keys, two gathers and an interpolation, each on all scores in memory. The mask is
/// made before timing.
pub struct ComposedContextual;

struct Prepared {
    inputs: ContextualInputs,
    /// `[1, 1, seq, seq]`, true where a key is hidden.
    hidden: Tensor<4, Bool>,
    /// What gates are added up in. libtorch adds `f32` up in `f64` by itself. flex adds in the tensor's own dtype, and the
    /// sum of a few hundred gates in `f32` would be further off than the tolerance allows.
    sums: BurnDType,
}

impl NamedInputs for Prepared {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for ComposedContextual {
    fn name(&self) -> &'static str {
        "composed"
    }

    fn workload(&self) -> &'static str {
        "contextual-attention"
    }

    fn about(&self) -> &'static str {
        "gates, their sums, lookups and interpolation as tensor operations, all scores in memory"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    /// Positions are of no use in 16 bits: beyond 32, `bf16` knows no number between two that differ by a quarter.
    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F64, DType::F32], dtype)
    }

    fn engine(&self, device: &str) -> (String, String) {
        matmul::burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let seq = params.size("seq");
        let sums = if setting.device == "flex" { BurnDType::F64 } else { burn_dtype(setting.dtype) };
        // burn's tril_mask is true outside of the lower triangle.
        let hidden = || Tensor::<2, Bool>::tril_mask([seq, seq], 0, &device).unsqueeze::<4>();
        let one = |inputs| Prepared { inputs, hidden: hidden(), sums };
        let copies = ContextualInputs::upload(setting, &device, inputs).into_iter().map(one).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, attend)))
    }
}

fn attend(Prepared { inputs, hidden, sums }: &Prepared) -> Tensor<4> {
    let ContextualInputs { query, key, value, embedding } = inputs;
    let [batch, heads, seq, head_dim] = query.dims();
    let kv_heads = key.dims()[1];
    // Query heads that share keys, one below the other.
    let together = [batch, kv_heads, heads / kv_heads * seq, head_dim];
    let scaled = query.clone().mul_scalar(1.0 / (head_dim as f64).sqrt()).reshape(together);
    let scores = scaled.matmul(key.clone().swap_dims(2, 3)).reshape([batch, heads, seq, seq]);
    // Hidden keys have a gate of 0 by that.
    let scores = scores.mask_fill(hidden.clone().expand([batch, heads, seq, seq]), f32::NEG_INFINITY);
    let scores = scores.clone() + added(query, embedding, &scores, *sums);
    let weights = softmax(scores, 3).reshape([batch, kv_heads, heads / kv_heads * seq, seq]);
    weights.matmul(value.clone()).reshape([batch, heads, seq, head_dim])
}

/// What positions add to each score.
fn added(query: &Tensor<4>, embedding: &Tensor<2>, scores: &Tensor<4>, sums: BurnDType) -> Tensor<4> {
    let [batch, heads, seq, head_dim] = query.dims();
    let rows = embedding.dims()[0];
    let gates = sigmoid(scores.clone()).cast(sums);
    let position = gates.flip([3]).cumsum(3).flip([3]).clamp_max((rows - 1) as f64);
    let below = position.clone().floor();
    let share = (position.clone() - below.clone()).cast(scores.dtype());
    let flat = query.clone().reshape([batch * heads * seq, head_dim]);
    let at = flat.matmul(embedding.clone().transpose()).reshape([batch, heads, seq, rows]);
    let lower = at.clone().gather(3, below.int());
    let upper = at.gather(3, position.ceil().int());
    lower.clone() + share * (upper - lower)
}
