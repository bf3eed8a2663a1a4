//! `scaled_dot_product_attention`, forward and backward.

use benchbook_core::{DType, Inputs, Row, Setting, Support};
use benchbook_workloads::attention::{AttentionGradients, AttentionGradientsParams};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Call, row};
use super::sdpa::Sdpa;

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
