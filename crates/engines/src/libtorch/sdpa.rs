//! `torch.nn.functional.scaled_dot_product_attention`.

use benchbook_core::{Inputs, Row, Setting};
use benchbook_workloads::attention::{Attention, AttentionParams};
use tch::{Kind, TchError, Tensor};

use super::array::{upload, upload_attended};
use super::implementation::{Call, row};
use super::subject::find;

/// PyTorch's own fused attention, without burn in between (EN1).
///
/// torch's boolean mask means *keep*, and its `is_causal` is aligned to the top left: so the mask is
/// inverted here, and causality with seq_q ≠ seq_kv is written into it.
pub const SDPA: Row<Attention> =
    row::<Sdpa, 1>("torch-sdpa", "libtorch's scaled_dot_product_attention, called without burn in between");

pub struct Sdpa {
    pub query: Tensor,
    pub key: Tensor,
    pub value: Tensor,
    keep: Option<Tensor>,
    causal: bool,
    grouped: bool,
}

impl Sdpa {
    /// What a call needs that is causal or not, and masked or not.
    pub fn new(setting: &Setting, inputs: &Inputs, causal: bool, masked: bool) -> Result<Self, TchError> {
        let [query, key, value] = upload_attended(setting, inputs)?;
        let ((_, heads, seq_q, _), (_, kv_heads, seq_kv, _)) = (query.size4()?, key.size4()?);
        let mask = if masked { Some(upload(inputs.get("mask"), setting.dtype)?.f_logical_not()?) } else { None };
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
        Ok(Self { query, key, value, keep, causal: causal && !in_mask, grouped: heads != kv_heads })
    }

    /// The result.
    pub fn attended(&self) -> Result<Tensor, TchError> {
        let Self { query, key, value, keep, causal, grouped } = self;
        Tensor::f_scaled_dot_product_attention(query, key, value, keep.as_ref(), 0.0, *causal, None, *grouped)
    }
}

impl Call<1> for Sdpa {
    type Problem = Attention;

    fn prepared(setting: &Setting, params: &AttentionParams, inputs: &Inputs) -> Result<Self, TchError> {
        Self::new(setting, inputs, params.causal, params.masked)
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        Ok([self.attended()?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["query", "key", "value"], &[&self.query, &self.key, &self.value], name)
    }
}
