//! Contextual positions: as tensor operations, and in a hand-written kernel.

use benchbook_core::{DType, Inputs, Result, Row};
use benchbook_workloads::attention::{ContextualAttention, ContextualAttentionParams};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Bool, DType as BurnDType, Device, Tensor};

use super::sdpa::attended;
use crate::flex::fused;
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::{NamedInputs, Rows, prepare};
use crate::flex::tensor::Target;

/// Implementations of `contextual-attention`.
pub const ROWS: [Row<ContextualAttention>; 2] = [COMPOSED, FUSED];

/// Inputs of one call.
struct ContextualInputs {
    attended: [Tensor<4>; 3],
    /// `[positions, head_dim]`, shared by all heads.
    embedding: Tensor<2>,
}

impl NamedInputs for ContextualInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "embedding" { Some(&mut self.embedding) } else { self.attended.input(name) }
    }
}

fn upload(on: &Target, _params: &ContextualAttentionParams, inputs: &Inputs) -> Result<ContextualInputs> {
    Ok(ContextualInputs { attended: attended(on, inputs), embedding: on.upload(inputs.get("embedding")) })
}

/// Sigmoid, a cumulative sum over reversed keys, two gathers and an interpolation, each on all scores in memory. The mask is
/// made before timing.
///
/// Positions are of no use in 16 bits: beyond 32, `bf16` knows no number between two that differ by a quarter.
pub const COMPOSED: Row<ContextualAttention> = burn_row::<ContextualAttention>(
    "composed",
    "gates, their sums, lookups and interpolation as tensor operations, all scores in memory",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, masked, by_burn),
);

struct Made {
    /// `[1, 1, seq, seq]`, true where a key is hidden.
    hidden: Tensor<4, Bool>,
    /// What gates are added up in. libtorch adds `f32` up in `f64` by itself. flex adds in the tensor's own dtype, and the
    /// sum of a few hundred gates in `f32` would be further off than the tolerance allows.
    sums: BurnDType,
}

fn masked(on: &Target, params: &ContextualAttentionParams, inputs: &Inputs) -> Result<(ContextualInputs, Made)> {
    // burn's tril_mask is true outside of the lower triangle.
    let hidden = Tensor::<2, Bool>::tril_mask([params.seq, params.seq], 0, &on.device).unsqueeze::<4>();
    let sums = if on.device == Device::flex() { BurnDType::F64 } else { on.dtype };
    Ok((upload(on, params, inputs)?, Made { hidden, sums }))
}

fn by_burn((inputs, Made { hidden, sums }): &(ContextualInputs, Made)) -> Result<[Tensor<4>; 1]> {
    let ContextualInputs { attended: [query, key, value], embedding } = inputs;
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
    Ok([weights.matmul(value.clone()).reshape([batch, heads, seq, head_dim])])
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
pub const FUSED: Row<ContextualAttention> = fused_row::<ContextualAttention>(
    "fused",
    "hand-written: keys from the last to the first, gates added up in registers, online softmax (arXiv 2405.18719)",
    &[DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, upload, by_hand),
)
.catalogue(&["AT10"]);

fn by_hand(inputs: &ContextualInputs) -> Result<[Tensor<4>; 1]> {
    let [query, key, value] = inputs.attended.clone();
    Ok([fused::contextual_attention(query, key, value, inputs.embedding.clone(), None)?])
}
