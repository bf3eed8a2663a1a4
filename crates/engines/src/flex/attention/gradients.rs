//! Gradients of attention: by burn's automatic differentiation, and ours.

use benchbook_core::{DType, Error, Implementation, Inputs, Params, Result, Setting, Subject, Support, Value};
use burn::tensor::{Device, Tensor};

use super::AttentionInputs;
use super::naive::{Prepared, attend};
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::upload;
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, fused, fused_engine, open};

/// Inputs of one forward and backward pass.
pub struct GradientInputs {
    /// The forward pass's.
    pub forward: AttentionInputs,
    /// `[batch, heads, seq_q, head_dim]`: the gradient of the result.
    pub grad: Tensor<4>,
}

impl NamedInputs for GradientInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "grad" { Some(&mut self.grad) } else { self.forward.input(name) }
    }
}

impl GradientInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let params = params.clone().with("masked", Value::Bool(false));
        let all = AttentionInputs::upload(setting, device, &params, inputs).into_iter();
        all.map(|forward| Self { forward, grad: upload(inputs.get("grad"), device, setting.dtype) }).collect()
    }
}

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
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?.autodiff();
        let copies = GradientInputs::upload(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::several(self.name(), &setting.device, device, copies, by_burn)))
    }
}

fn by_burn(inputs: &GradientInputs) -> Result<[Tensor<4>; 3]> {
    let forward = &inputs.forward;
    // Tracked anew in each call, so that nothing is left of the one before.
    let [query, key, value] =
        [&forward.query, &forward.key, &forward.value].map(|tensor| tensor.clone().detach().require_grad());
    let tracked = AttentionInputs {
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

/// FlashAttention-2, forward and backward (Dao, arXiv 2307.08691, algorithms 1 and 2): the forward pass keeps one number
/// for each query, the backward pass computes the weights again, tile by tile.
pub struct FusedGradients;

impl Implementation for FusedGradients {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn workload(&self) -> &'static str {
        "attention-gradients"
    }

    fn about(&self) -> &'static str {
        "hand-written FlashAttention-2, forward and backward, scores never in memory (arXiv 2307.08691)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT2"]
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
        let copies = GradientInputs::upload(setting, &device, params, inputs);
        Ok(Box::new(TensorSubject::several(self.name(), &setting.device, device, copies, by_hand)))
    }
}

fn by_hand(inputs: &GradientInputs) -> Result<[Tensor<4>; 3]> {
    let forward = &inputs.forward;
    let options = fused::Options { causal: forward.causal, ..Default::default() };
    let [query, key, value] = [&forward.query, &forward.key, &forward.value].map(Tensor::clone);
    fused::attention_gradients(query, key, value, inputs.grad.clone(), options)
}
