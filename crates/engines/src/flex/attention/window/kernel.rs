//! Rotation and window in the hand-written kernel.

use std::sync::Arc;

use benchbook_core::{DType, Error, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_workloads::attention::window::BASE;
use burn::tensor::Tensor;

use super::WindowInputs;
use crate::flex::attention::fused_engine;
use crate::flex::fused::Rotary;
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::{TensorSubject, fused, open};

/// Queries and keys are turned into scratch, then fused attention skips every tile outside of the window.
pub struct FusedWindow;

struct Prepared {
    inputs: WindowInputs,
    rotary: Arc<Rotary>,
}

impl NamedInputs for Prepared {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for FusedWindow {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn workload(&self) -> &'static str {
        "window-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written: rotation into scratch, fused attention that skips tiles outside of the window"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT6"]
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
        let rotary = Rotary::new(params.size("seq"), params.size("head_dim"), BASE).map_err(|error| {
            let (implementation, device) = (self.name().into(), setting.device.clone());
            Error::Implementation { implementation, device, reason: error.to_string() }
        })?;
        let rotary = Arc::new(rotary);
        let all = WindowInputs::upload(setting, &device, params, inputs).into_iter();
        let copies: Vec<Prepared> = all.map(|inputs| Prepared { inputs, rotary: Arc::clone(&rotary) }).collect();
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, attend)))
    }
}

fn attend(Prepared { inputs, rotary }: &Prepared) -> Result<Tensor<4>> {
    let [query, key, value] = [&inputs.query, &inputs.key, &inputs.value].map(Tensor::clone);
    let options = fused::Options { causal: true, window: Some(inputs.window), scale: None };
    fused::rotary_attention(query, key, value, rotary, options)
}
