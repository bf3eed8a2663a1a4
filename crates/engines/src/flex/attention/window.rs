//! Rotation and window: as tensor operations, and in the hand-written kernel.

use std::sync::Arc;

use benchbook_core::{DType, Error, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_workloads::attention::window::BASE;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::AttentionInputs;
use super::naive::{self, attend};
use crate::flex::fused::Rotary;
use crate::flex::subject::{NamedInputs, Rows, find};
use crate::flex::tensor::{upload, upload_numbers};
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, fused, fused_engine, open};

/// Inputs of one call.
pub struct WindowInputs {
    /// `[batch, heads, seq, head_dim]`, not rotated yet.
    pub query: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`, not rotated yet.
    pub key: Tensor<4>,
    /// `[batch, kv_heads, seq, head_dim]`
    pub value: Tensor<4>,
    /// Keys that a query sees at most, its own included.
    pub window: usize,
}

impl NamedInputs for WindowInputs {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        find(&["query", "key", "value"], [&mut self.query, &mut self.key, &mut self.value], name)
    }
}

impl WindowInputs {
    /// `setting.copies` copies of the inputs on `device`, each in memory of its own.
    pub fn upload(setting: &Setting, device: &Device, params: &Params, inputs: &Inputs) -> Vec<Self> {
        let tensor = |name: &str| upload(inputs.get(name), device, setting.dtype);
        let window = params.size("window_size");
        let one = |_| Self { query: tensor("query"), key: tensor("key"), value: tensor("value"), window };
        (0..setting.copies).map(one).collect()
    }
}

/// Slices, products and a concatenation for the rotation; matmul, mask, softmax, matmul for the window, with all scores in
/// memory. Angles and mask are made before timing.
pub struct ComposedWindow;

struct Tables {
    inputs: WindowInputs,
    /// `[1, 1, seq, head_dim / 2]`
    cos: Tensor<4>,
    /// `[1, 1, seq, head_dim / 2]`
    sin: Tensor<4>,
    /// `[batch, 1, seq, seq]`
    hidden: Tensor<4, Bool>,
}

impl NamedInputs for Tables {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for ComposedWindow {
    fn name(&self) -> &'static str {
        "composed"
    }

    fn workload(&self) -> &'static str {
        "window-attention"
    }

    fn about(&self) -> &'static str {
        "rotation and window as tensor operations, all scores in memory"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn engine(&self, device: &str) -> (String, String) {
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let one = |inputs| Tables {
            inputs,
            cos: angles(params, &device, setting.dtype, f64::cos),
            sin: angles(params, &device, setting.dtype, f64::sin),
            hidden: hidden(params, &device),
        };
        let copies = WindowInputs::upload(setting, &device, params, inputs).into_iter().map(one).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, by_burn)))
    }
}

fn angles(params: &Params, device: &Device, dtype: DType, of: fn(f64) -> f64) -> Tensor<4> {
    let (seq, d) = (params.size("seq"), params.size("head_dim"));
    let angle = |index: usize| (index / (d / 2)) as f64 * BASE.powf(-2.0 * (index % (d / 2)) as f64 / d as f64);
    let numbers = (0..seq * d / 2).map(|index| of(angle(index)));
    upload_numbers(numbers, [1, 1, seq, d / 2], device, dtype)
}

fn hidden(params: &Params, device: &Device) -> Tensor<4, Bool> {
    let (batch, seq, window) = (params.size("batch"), params.size("seq"), params.size("window_size"));
    let place = |index: usize| (index / seq % seq, index % seq);
    let hidden = |(query, key): (usize, usize)| key > query || key + window <= query;
    let flags: Vec<bool> = (0..batch * seq * seq).map(|index| hidden(place(index))).collect();
    Tensor::from_data(TensorData::new(flags, [batch, 1, seq, seq]), device)
}

fn by_burn(tables: &Tables) -> Tensor<4> {
    let rotated = |tensor: &Tensor<4>| {
        let [_, _, _, head_dim] = tensor.dims();
        let x = tensor.clone().narrow(3, 0, head_dim / 2);
        let y = tensor.clone().narrow(3, head_dim / 2, head_dim / 2);
        let (cos, sin) = (tables.cos.clone(), tables.sin.clone());
        let left = x.clone() * cos.clone() - y.clone() * sin.clone();
        Tensor::cat(vec![left, y * cos + x * sin], 3)
    };
    attend(&naive::Prepared::new(AttentionInputs {
        query: rotated(&tables.inputs.query),
        key: rotated(&tables.inputs.key),
        value: tables.inputs.value.clone(),
        mask: Some(tables.hidden.clone()),
        causal: false,
    }))
}

/// Queries and keys are turned into scratch, then fused attention skips every tile outside of the window.
pub struct FusedWindow;

struct Turned {
    inputs: WindowInputs,
    rotary: Arc<Rotary>,
}

impl NamedInputs for Turned {
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
        let copies: Vec<Turned> = all.map(|inputs| Turned { inputs, rotary: Arc::clone(&rotary) }).collect();
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, by_hand)))
    }
}

fn by_hand(Turned { inputs, rotary }: &Turned) -> Result<Tensor<4>> {
    let [query, key, value] = [&inputs.query, &inputs.key, &inputs.value].map(Tensor::clone);
    let options = fused::Options { causal: true, window: Some(inputs.window), scale: None };
    fused::rotary_attention(query, key, value, rotary, options)
}
