//! Attention with the projections around it: one operation after another, and all in one hand-written kernel.

use std::sync::Arc;

use benchbook_core::{DType, Inputs, Result, Row, Support};
use benchbook_simd::Projections;
use benchbook_workloads::attention::{ProjectedAttention, ProjectedAttentionParams};
use burn::tensor::{Bool, Device, Tensor};

use super::naive::{attend, later};
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows, find, prepare};
use crate::flex::tensor::Target;
use crate::flex::{CPU_DEVICES, burn_engine, fused, fused_engine};

/// Inputs of one call; `hidden` is `heads · head_dim`, or more where heads are left out.
pub(super) struct ProjectedInputs {
    /// `[batch, seq, hidden]`
    pub(super) input: Tensor<3>,
    /// `[hidden, heads · head_dim]`, `[hidden, kv_heads · head_dim]` twice, and `[heads · head_dim, hidden]`: the weights of
    /// query, key, value and out.
    pub(super) weights: [Tensor<2>; 4],
    /// Query heads, and key and value heads.
    pub(super) heads: [usize; 2],
    /// Whether a position sees none after itself.
    pub(super) causal: bool,
}

/// Attention with its projections on the tensors of burn.
pub const ROWS: [Row<ProjectedAttention>; 2] = [CHAIN, FUSED];

/// Names of the weights.
const WEIGHTS: [&str; 4] = ["w_query", "w_key", "w_value", "w_out"];

impl NamedInputs for ProjectedInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "input" { Some(&mut self.input) } else { find(&WEIGHTS, &mut self.weights, name) }
    }
}

fn upload(on: &Target, params: &ProjectedAttentionParams, inputs: &Inputs) -> ProjectedInputs {
    ProjectedInputs {
        input: on.upload(inputs.get("input")),
        weights: WEIGHTS.map(|name| on.upload(inputs.get(name))),
        heads: [params.heads, params.kv_heads],
        causal: params.causal,
    }
}

/// Three products, heads moved before each other, attention, heads moved back, a product: every intermediate in memory.
///
/// On `flex` products and attention are our own, so that what fusion gains is not what better parts gain. On `libtorch` they
/// are burn's, with all scores in memory; what causality hides is in a mask made before timing.
pub const CHAIN: Row<ProjectedAttention> = Row::<ProjectedAttention>::new(
    "chain",
    "matmul three times, transposed, attention, transposed, matmul: hand-written parts on flex, burn's on libtorch",
    &CPU_DEVICES,
    &DType::FLOATS,
    |device| if device == "flex" { fused_engine() } else { burn_engine(device) },
    |name, setting, params, inputs| {
        let call = if setting.device == "flex" { by_hand } else { by_burn };
        prepare(name, setting, params, inputs, masked, call)
    },
)
.only(|device, dtype, _| if device == "flex" { Support::of(&[DType::F32], dtype) } else { Support::Yes });

/// Inputs, and for burn's parts `[1, 1, seq, seq]`, true where a position is hidden.
pub(super) type Masked = (ProjectedInputs, Option<Tensor<4, Bool>>);

fn masked(on: &Target, params: &ProjectedAttentionParams, inputs: &Inputs) -> Result<Masked> {
    let hidden = (params.causal && on.device != Device::flex()).then(|| later([params.seq, params.seq], &on.device));
    Ok((upload(on, params, inputs), hidden))
}

pub(super) fn by_hand((inputs, _): &Masked) -> Result<[Tensor<3>; 1]> {
    let options = fused::Options { causal: inputs.causal, ..Default::default() };
    chain(inputs, fused::matmul, |[query, key, value]| fused::attention(query, key, value, None, options))
}

fn by_burn((inputs, hidden): &Masked) -> Result<[Tensor<3>; 1]> {
    let multiply = |left: Tensor<2>, right: Tensor<2>| Ok(left.matmul(right));
    chain(inputs, multiply, |tensors| Ok(attend(tensors.each_ref(), hidden.as_ref())))
}

fn chain(
    inputs: &ProjectedInputs,
    multiply: impl Fn(Tensor<2>, Tensor<2>) -> Result<Tensor<2>>,
    attend: impl Fn([Tensor<4>; 3]) -> Result<Tensor<4>>,
) -> Result<[Tensor<3>; 1]> {
    let [batch, seq, width] = inputs.input.dims();
    let ([heads, kv_heads], [query, key, value, out]) = (inputs.heads, &inputs.weights);
    let attending = query.dims()[1];
    let project = |weights: &Tensor<2>, count: usize| -> Result<Tensor<4>> {
        let all = multiply(inputs.input.clone().reshape([batch * seq, width]), weights.clone())?;
        Ok(all.reshape([batch, seq, count, attending / heads]).swap_dims(1, 2))
    };
    let attended = attend([project(query, heads)?, project(key, kv_heads)?, project(value, kv_heads)?])?;
    let together = attended.swap_dims(1, 2).reshape([batch * seq, attending]);
    Ok([multiply(together, out.clone())?.reshape([batch, seq, width])])
}

/// A block of positions goes all the way while it is in the cache: its queries are projected, attend, and are projected out.
/// Keys and values are projected to where attention reads them, so nothing is transposed.
///
/// Two things beside fusion tell it from [`CHAIN`]. Weights are packed before timing, since a model's weights stay,
/// while the chain's products pack theirs in every call: that counts where sequences are short. And the chain allocates its
/// intermediates, whose pages cost what the allocator makes of them. Each block reads the keys and values of every head, so
/// where those of a sequence are larger than the cache, the chain, which takes head after head, may be faster.
pub const FUSED: Row<ProjectedAttention> = fused_row::<ProjectedAttention>(
    "fused",
    "hand-written: a block of positions is projected, attends and is projected out in the cache, weights packed once",
    &[DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, packed, in_one),
)
.catalogue(&["AT11"]);

struct Packed {
    input: Tensor<3>,
    weights: Arc<Projections>,
    causal: bool,
}

impl NamedInputs for Packed {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        // Weights are packed before timing: they do not change any more.
        (name == "input").then_some(&mut self.input as &mut dyn Rows)
    }
}

fn packed(on: &Target, params: &ProjectedAttentionParams, inputs: &Inputs) -> Result<Packed> {
    let ProjectedInputs { input, weights, heads, causal } = upload(on, params, inputs);
    Ok(Packed { input, weights: fused::projections(heads, weights.each_ref())?, causal })
}

fn in_one(packed: &Packed) -> Result<[Tensor<3>; 1]> {
    Ok([fused::projected_attention(packed.input.clone(), &packed.weights, packed.causal)?])
}
