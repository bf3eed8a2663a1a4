//! Attention with the projections around it: one operation after another, and all in one hand-written kernel.

use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_simd::Projections;
use burn::tensor::{Bool, Device, Tensor};

use super::AttentionInputs;
use super::naive::{self, attend};
use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::upload;
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, fused, fused_engine, open};

/// Inputs of one call; `hidden` is `heads · head_dim`.
pub struct ProjectedInputs {
    /// `[batch, seq, hidden]`
    pub input: Tensor<3>,
    /// `[hidden, heads · head_dim]`
    pub query: Tensor<2>,
    /// `[hidden, kv_heads · head_dim]`
    pub key: Tensor<2>,
    /// `[hidden, kv_heads · head_dim]`
    pub value: Tensor<2>,
    /// `[heads · head_dim, hidden]`
    pub out: Tensor<2>,
    /// Query heads, and key and value heads.
    pub heads: [usize; 2],
    /// Whether a position sees none after itself.
    pub causal: bool,
}

impl NamedInputs for ProjectedInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "input" {
            return Some(&mut self.input);
        }
        let weights = [&mut self.query, &mut self.key, &mut self.value, &mut self.out];
        find(&["w_query", "w_key", "w_value", "w_out"], weights, name)
    }
}

impl ProjectedInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let weights = |name: &str| upload::<2>(inputs.get(name), device, setting.dtype);
        let one = |_| Self {
            input: upload(inputs.get("input"), device, setting.dtype),
            query: weights("w_query"),
            key: weights("w_key"),
            value: weights("w_value"),
            out: weights("w_out"),
            heads: ["heads", "kv_heads"].map(|name| params.size(name)),
            causal: params.flag("causal"),
        };
        (0..setting.copies).map(one).collect()
    }
}

/// Three products, heads moved before each other, attention, heads moved back, a product: every intermediate in memory.
///
/// On `flex` products and attention are our own, so that what fusion gains is not what better parts gain. On `libtorch` they
/// are burn's, with all scores in memory; what causality hides is in a mask made before timing.
pub struct Chain;

struct Masked {
    inputs: ProjectedInputs,
    /// `[batch, 1, seq, seq]`
    hidden: Option<Tensor<4, Bool>>,
}

impl NamedInputs for Masked {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn workload(&self) -> &'static str {
        "projected-attention"
    }

    fn about(&self) -> &'static str {
        "matmul three times, transposed, attention, transposed, matmul: hand-written parts on flex, burn's on libtorch"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn supports(&self, device: &str, dtype: DType, _params: &Params) -> Support {
        if device == "flex" { Support::of(&[DType::F32], dtype) } else { Support::Yes }
    }

    fn engine(&self, device: &str) -> (String, String) {
        if device == "flex" { fused_engine() } else { burn_engine(device) }
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let ours = setting.device == "flex";
        let one = |inputs: ProjectedInputs| {
            let hidden = (inputs.causal && !ours).then(|| hidden(&inputs, &device));
            Masked { inputs, hidden }
        };
        let copies = ProjectedInputs::upload(setting, &device, params, inputs).into_iter().map(one).collect();
        let call = if ours { by_hand } else { by_burn };
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, call)))
    }
}

fn hidden(inputs: &ProjectedInputs, device: &Device) -> Tensor<4, Bool> {
    let [batch, seq, _] = inputs.input.dims();
    // burn's tril_mask is true outside the lower triangle.
    Tensor::<2, Bool>::tril_mask([seq, seq], 0, device).unsqueeze::<4>().expand([batch, 1, seq, seq])
}

fn by_hand(Masked { inputs, .. }: &Masked) -> Result<Tensor<3>> {
    let options = fused::Options { causal: inputs.causal, ..Default::default() };
    chain(inputs, fused::matmul, |[query, key, value]| fused::attention(query, key, value, None, options))
}

fn by_burn(Masked { inputs, hidden }: &Masked) -> Result<Tensor<3>> {
    let multiply = |left: Tensor<2>, right: Tensor<2>| Ok(left.matmul(right));
    chain(inputs, multiply, |[query, key, value]| {
        let inputs = AttentionInputs { query, key, value, mask: hidden.clone(), causal: false };
        Ok(attend(&naive::Prepared::new(inputs)))
    })
}

fn chain(
    inputs: &ProjectedInputs,
    multiply: impl Fn(Tensor<2>, Tensor<2>) -> Result<Tensor<2>>,
    attend: impl Fn([Tensor<4>; 3]) -> Result<Tensor<4>>,
) -> Result<Tensor<3>> {
    let [batch, seq, width] = inputs.input.dims();
    let [heads, kv_heads] = inputs.heads;
    let project = |weights: &Tensor<2>, count: usize| -> Result<Tensor<4>> {
        let all = multiply(inputs.input.clone().reshape([batch * seq, width]), weights.clone())?;
        Ok(all.reshape([batch, seq, count, width / heads]).swap_dims(1, 2))
    };
    let (query, key) = (project(&inputs.query, heads)?, project(&inputs.key, kv_heads)?);
    let attended = attend([query, key, project(&inputs.value, kv_heads)?])?;
    let together = attended.swap_dims(1, 2).reshape([batch * seq, width]);
    Ok(multiply(together, inputs.out.clone())?.reshape([batch, seq, width]))
}

/// A block of positions goes all the way while it is in the cache: its queries are projected, attend, and are projected out.
/// Keys and values are projected to where attention reads them, so nothing is transposed.
///
/// Two things beside fusion tell it from [`Chain`]. Weights are packed before timing, since a model's weights stay,
/// while the chain's products pack theirs in every call: that counts where sequences are short. And the chain allocates its
/// intermediates, whose pages cost what the allocator makes of them. Each block reads the keys and values of every head, so
/// where those of a sequence are larger than the cache, the chain, which takes head after head, may be faster.
pub struct FusedProjected;

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

impl Implementation for FusedProjected {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn workload(&self) -> &'static str {
        "projected-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written: a block of positions is projected, attends and is projected out in the cache, weights packed once"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT11"]
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

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let all = ProjectedInputs::upload(setting, &device, params, inputs).into_iter();
        let copies: Vec<Packed> = all.map(packed).collect::<Result<_>>()?;
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, in_one)))
    }
}

fn packed(inputs: ProjectedInputs) -> Result<Packed> {
    let ProjectedInputs { input, query, key, value, out, heads, causal } = inputs;
    Ok(Packed { input, weights: fused::projections(heads, [&query, &key, &value, &out])?, causal })
}

fn in_one(packed: &Packed) -> Result<Tensor<3>> {
    fused::projected_attention(packed.input.clone(), &packed.weights, packed.causal)
}
