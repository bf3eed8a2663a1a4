//! `torch.nn.functional.scaled_dot_product_attention`.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Value};
use tch::{Kind, TchError, Tensor};

use super::array::upload;
use super::subject::{TorchSubject, torch_error};
use super::version::engine;

/// PyTorch's own fused attention, without burn in between (EN1).
///
/// torch's boolean mask means *keep*, and its `is_causal` is aligned to the top left: so the mask is
/// inverted here, and causality with seq_q ≠ seq_kv is written into it.
pub struct Sdpa;

pub(super) struct Call {
    pub query: Tensor,
    pub key: Tensor,
    pub value: Tensor,
    keep: Option<Tensor>,
    causal: bool,
    grouped: bool,
}

impl Implementation for Sdpa {
    fn name(&self) -> &'static str {
        "torch-sdpa"
    }

    fn workload(&self) -> &'static str {
        "attention"
    }

    fn about(&self) -> &'static str {
        "libtorch 2.9.0 scaled_dot_product_attention, called without burn in between"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["EN1"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["libtorch"]
    }

    fn engine(&self, _device: &str) -> (String, String) {
        engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let calls: Result<Vec<_>, TchError> = (0..setting.copies).map(|_| call(setting, params, inputs)).collect();
        let calls = calls.map_err(|error| torch_error(self.name(), &error))?;
        Ok(Box::new(TorchSubject::new(self.name(), calls, attend)))
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
    Ok(Call {
        query: upload(inputs.get("query"), setting.dtype)?,
        key: upload(inputs.get("key"), setting.dtype)?,
        value: upload(inputs.get("value"), setting.dtype)?,
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
