//! `scaled_dot_product_attention`, forward and backward.

use benchbook_core::{DType, Inputs, Params, Setting, Support};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::Torch;
use super::sdpa::{Call, call, product};
use super::subject::NamedInputs;

/// PyTorch's own fused attention and its gradients, without burn in between (EN1).
pub const SDPA_GRADIENTS: Torch<Step, 3> = Torch {
    name: "torch-sdpa",
    workload: "attention-gradients",
    about: "libtorch 2.9.0 scaled_dot_product_attention and its autograd, called without burn in between",
    supports: supported,
    inputs: step,
    call: gradients,
};

pub struct Step {
    call: Call,
    grad: Tensor,
}

impl NamedInputs for Step {
    fn input(&self, name: &str) -> Option<Tensor> {
        if name == "grad" { Some(self.grad.shallow_clone()) } else { self.call.input(name) }
    }
}

fn supported(dtype: DType, _params: &Params) -> Support {
    match dtype {
        DType::F32 | DType::F64 => Support::Yes,
        other => Support::No(format!("gradients in {other} need a scaled loss, which this comparison has not")),
    }
}

fn step(setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Step, TchError> {
    let call = call(setting, params, inputs)?;
    for tensor in [&call.query, &call.key, &call.value] {
        // The handle that it gives back is the same tensor.
        drop(tensor.f_set_requires_grad(true)?);
    }
    Ok(Step { call, grad: upload(inputs.get("grad"), setting.dtype)? })
}

fn gradients(Step { call, grad }: &Step) -> Result<[Tensor; 3], TchError> {
    let loss = tch::with_grad(|| product(call)?.f_mul(grad)?.f_sum(grad.kind()))?;
    let found = Tensor::f_run_backward(&[loss], &[&call.query, &call.key, &call.value], false, false)?;
    let count = found.len();
    found.try_into().map_err(|_| TchError::Torch(format!("{count} gradients came back, not 3")))
}
