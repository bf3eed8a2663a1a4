//! Gradients by burn's automatic differentiation.

use benchbook_core::{DType, Error, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::GradientInputs;
use crate::flex::attention::naive::{Prepared, attend};
use crate::flex::{CPU_DEVICES, TensorSubject, matmul, open};

/// The forward pass with its scores in memory, and burn's autodiff through every operation of it.
pub struct Autodiff;

impl Implementation for Autodiff {
    fn name(&self) -> &'static str {
        "autodiff"
    }

    fn workload(&self) -> &'static str {
        "attention-gradients"
    }

    fn about(&self) -> &'static str {
        "burn's autodiff through matmul, softmax, matmul with the scores in memory"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        match dtype {
            DType::F32 | DType::F64 => Support::Yes,
            other => Support::No(format!("gradients in {other} need a scaled loss, which this comparison has not")),
        }
    }

    fn engine(&self, device: &str) -> (String, String) {
        matmul::burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?.autodiff();
        let copies = GradientInputs::upload(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::several(self.name(), &setting.device, device, copies, gradients)))
    }
}

fn gradients(inputs: &GradientInputs) -> Result<[Tensor<4>; 3]> {
    let forward = &inputs.forward;
    // Tracked anew in each call, so that nothing is left of the one before.
    let [query, key, value] =
        [&forward.query, &forward.key, &forward.value].map(|tensor| tensor.clone().detach().require_grad());
    let tracked = crate::flex::attention::AttentionInputs {
        query: query.clone(),
        key: key.clone(),
        value: value.clone(),
        mask: None,
        causal: forward.causal,
    };
    let out = attend(&Prepared::new(tracked));
    let grads = (out * inputs.grad.clone()).sum().backward();
    let of = |tensor: &Tensor<4>| {
        tensor.grad(&grads).ok_or_else(|| Error::Implementation {
            implementation: "autodiff".into(),
            device: format!("{:?}", tensor.device()),
            reason: "an input has no gradient".into(),
        })
    };
    Ok([of(&query)?, of(&key)?, of(&value)?])
}
