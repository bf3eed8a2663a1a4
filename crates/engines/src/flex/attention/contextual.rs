//! Contextual positions: as tensor operations, and in a hand-written kernel.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Bool, DType as BurnDType, Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::{burn_dtype, upload};
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, fused, fused_engine, open};

/// Inputs of one call.
pub struct ContextualInputs {
    /// `[batch, heads, seq, head_dim]`
    pub query: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`
    pub key: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`
    pub value: Tensor<4>,
    /// `[positions, head_dim]`, shared by all heads.
    pub embedding: Tensor<2>,
}

impl NamedInputs for ContextualInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "embedding" {
            return Some(&mut self.embedding);
        }
        find(&["query", "key", "value"], [&mut self.query, &mut self.key, &mut self.value], name)
    }
}

impl ContextualInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, inputs: &Inputs) -> Vec<Self> {
        let tensor = |name: &str| upload(inputs.get(name), device, setting.dtype);
        let embedding = || upload(inputs.get("embedding"), device, setting.dtype);
        let one =
            |_| Self { query: tensor("query"), key: tensor("key"), value: tensor("value"), embedding: embedding() };
        (0..setting.copies).map(one).collect()
    }
}

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
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let seq = params.size("seq");
        let sums = if setting.device == "flex" { BurnDType::F64 } else { burn_dtype(setting.dtype) };
        // burn's tril_mask is true outside of the lower triangle.
        let hidden = || Tensor::<2, Bool>::tril_mask([seq, seq], 0, &device).unsqueeze::<4>();
        let one = |inputs| Prepared { inputs, hidden: hidden(), sums };
        let copies = ContextualInputs::upload(setting, &device, inputs).into_iter().map(one).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, by_burn)))
    }
}

fn by_burn(Prepared { inputs, hidden, sums }: &Prepared) -> Tensor<4> {
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
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, by_hand)))
    }
}

fn by_hand(inputs: &ContextualInputs) -> Result<Tensor<4>> {
    let [query, key, value] = [&inputs.query, &inputs.key, &inputs.value].map(Tensor::clone);
    fused::contextual_attention(query, key, value, inputs.embedding.clone(), None)
}
