//! `torch.nn.functional.scaled_dot_product_attention`.

use benchbook_core::{DType, Inputs, Params, Setting, Value};
use tch::{Kind, TchError, Tensor};

use super::array::{upload, upload_attended};
use super::implementation::{Torch, any};
use super::subject::{NamedInputs, find};

/// PyTorch's own fused attention, without burn in between (EN1).
///
/// torch's boolean mask means *keep*, and its `is_causal` is aligned to the top left: so the mask is
/// inverted here, and causality with seq_q ≠ seq_kv is written into it.
pub const SDPA: Torch<Call, 1> = Torch {
    name: "torch-sdpa",
    workload: "attention",
    about: "libtorch 2.9.0 scaled_dot_product_attention, called without burn in between",
    supports: any,
    inputs: call,
    call: attend,
};

pub struct Call {
    pub query: Tensor,
    pub key: Tensor,
    pub value: Tensor,
    keep: Option<Tensor>,
    causal: bool,
    grouped: bool,
}

impl NamedInputs for Call {
    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["query", "key", "value"], &[&self.query, &self.key, &self.value], name)
    }
}

pub(super) fn call(setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Call, TchError> {
    let (seq_q, seq_kv) = (params.int("seq_q"), params.int("seq_kv"));
    let causal = params.flag("causal");
    let masked = matches!(params.0.get("masked"), Some(Value::Bool(true)));
    let mask = if masked { Some(upload(inputs.get("mask"), DType::F32)?.f_eq(0.0)?) } else { None };
    let in_mask = causal && (mask.is_some() || seq_q != seq_kv);
    let keep = if in_mask {
        let lower = Tensor::f_ones([seq_q, seq_kv], (Kind::Bool, tch::Device::Cpu))?.f_tril(seq_kv - seq_q)?;
        Some(match mask {
            Some(mask) => mask.f_logical_and(&lower)?,
            None => lower,
        })
    } else {
        mask
    };
    let [query, key, value] = upload_attended(setting, inputs)?;
    Ok(Call {
        query,
        key,
        value,
        keep,
        causal: causal && !in_mask,
        grouped: params.int("heads") != params.int("kv_heads"),
    })
}

fn attend(call: &Call) -> Result<[Tensor; 1], TchError> {
    Ok([product(call)?])
}

pub(super) fn product(call: &Call) -> Result<Tensor, TchError> {
    let Call { query, key, value, keep, causal, grouped } = call;
    Tensor::f_scaled_dot_product_attention(query, key, value, keep.as_ref(), 0.0, *causal, None, *grouped)
}
