//! `scaled_dot_product_attention`, forward, and forward and backward.

use benchbook_core::{DType, Inputs, Row, Setting, Support};
use benchbook_workloads::attention::{Attention, AttentionGradients, AttentionGradientsParams, AttentionParams};
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

/// PyTorch's own fused attention and its gradients, without burn in between (EN1).
pub const SDPA_GRADIENTS: Row<AttentionGradients> = row::<Step, 3>(
    "torch-sdpa",
    "libtorch's scaled_dot_product_attention and its autograd, called without burn in between",
)
.only(supported);

pub struct Step {
    forward: Sdpa,
    grad: Tensor,
}

fn supported(_device: &str, dtype: DType, _params: &AttentionGradientsParams) -> Support {
    match dtype {
        DType::F32 | DType::F64 => Support::Yes,
        other => Support::No(format!("gradients in {other} need a scaled loss, which this comparison has not")),
    }
}

impl Call<3> for Step {
    type Problem = AttentionGradients;

    fn prepared(setting: &Setting, params: &AttentionGradientsParams, inputs: &Inputs) -> Result<Self, TchError> {
        let forward = Sdpa::new(setting, inputs, params.causal, false)?;
        for tensor in [&forward.query, &forward.key, &forward.value] {
            // The handle that it gives back is the same tensor.
            drop(tensor.f_set_requires_grad(true)?);
        }
        Ok(Self { forward, grad: upload(inputs.get("grad"), setting.dtype)? })
    }

    fn call(&self) -> Result<[Tensor; 3], TchError> {
        let Self { forward, grad } = self;
        let loss = tch::with_grad(|| forward.attended()?.f_mul(grad)?.f_sum(grad.kind()))?;
        let found = Tensor::f_run_backward(&[loss], &[&forward.query, &forward.key, &forward.value], false, false)?;
        let count = found.len();
        found.try_into().map_err(|_| TchError::Torch(format!("{count} gradients came back, not 3")))
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        if name == "grad" { Some(self.grad.shallow_clone()) } else { self.forward.input(name) }
    }
}
