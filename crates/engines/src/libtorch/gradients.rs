//! `scaled_dot_product_attention`, forward and backward.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use tch::{TchError, Tensor};

use super::array::upload;
use super::sdpa::{Call, call, product};
use super::subject::{TorchSubject, torch_error};
use super::version::engine;

/// PyTorch's own fused attention and its gradients, without burn in between (EN1).
pub struct SdpaGradients;

struct Step {
    call: Call,
    grad: Tensor,
}

impl Implementation for SdpaGradients {
    fn name(&self) -> &'static str {
        "torch-sdpa"
    }

    fn workload(&self) -> &'static str {
        "attention-gradients"
    }

    fn about(&self) -> &'static str {
        "libtorch 2.9.0 scaled_dot_product_attention and its autograd, called without burn in between"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["EN1"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["libtorch"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        match dtype {
            DType::F32 | DType::F64 => Support::Yes,
            other => Support::No(format!("gradients in {other} need a scaled loss, which this comparison has not")),
        }
    }

    fn engine(&self, _device: &str) -> (String, String) {
        engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let one = |_| {
            let call = call(setting, params, inputs)?;
            for tensor in [&call.query, &call.key, &call.value] {
                // The handle that it gives back is the same tensor.
                drop(tensor.f_set_requires_grad(true)?);
            }
            Ok(Step { call, grad: upload(inputs.get("grad"), setting.dtype)? })
        };
        let steps: Result<Vec<_>, TchError> = (0..setting.copies).map(one).collect();
        let steps = steps.map_err(|error| torch_error(self.name(), &error))?;
        Ok(Box::new(TorchSubject::new(self.name(), steps, gradients)))
    }
}

fn gradients(Step { call, grad }: &Step) -> Result<[Tensor; 3], TchError> {
    let loss = tch::with_grad(|| product(call)?.f_mul(grad)?.f_sum(grad.kind()))?;
    let found = Tensor::f_run_backward(&[loss], &[&call.query, &call.key, &call.value], false, false)?;
    let count = found.len();
    found.try_into().map_err(|_| TchError::Torch(format!("{count} gradients came back, not 3")))
}
