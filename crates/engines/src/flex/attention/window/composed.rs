//! Rotation and window as tensor operations.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject};
use benchbook_workloads::attention::window::BASE;
use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::WindowInputs;
use crate::flex::attention::AttentionInputs;
use crate::flex::attention::naive::{self, attend};
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::upload_numbers;
use crate::flex::{CPU_DEVICES, TensorSubject, matmul, open};

/// Slices, products and a concatenation for the rotation; matmul, mask, softmax, matmul for the window, with all scores in
/// memory. Angles and mask are made before timing.
pub struct ComposedWindow;

struct Prepared {
    inputs: WindowInputs,
    /// `[1, 1, seq, head_dim / 2]`
    cos: Tensor<4>,
    /// `[1, 1, seq, head_dim / 2]`
    sin: Tensor<4>,
    /// `[batch, 1, seq, seq]`
    hidden: Tensor<4, Bool>,
}

impl NamedInputs for Prepared {
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
        matmul::burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let one = |inputs| Prepared {
            inputs,
            cos: angles(params, &device, setting.dtype, f64::cos),
            sin: angles(params, &device, setting.dtype, f64::sin),
            hidden: hidden(params, &device),
        };
        let copies = WindowInputs::upload(setting, &device, params, inputs).into_iter().map(one).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, windowed)))
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

fn windowed(prepared: &Prepared) -> Tensor<4> {
    let rotated = |tensor: &Tensor<4>| {
        let [_, _, _, head_dim] = tensor.dims();
        let x = tensor.clone().narrow(3, 0, head_dim / 2);
        let y = tensor.clone().narrow(3, head_dim / 2, head_dim / 2);
        let (cos, sin) = (prepared.cos.clone(), prepared.sin.clone());
        let left = x.clone() * cos.clone() - y.clone() * sin.clone();
        Tensor::cat(vec![left, y * cos + x * sin], 3)
    };
    attend(&naive::Prepared::new(AttentionInputs {
        query: rotated(&prepared.inputs.query),
        key: rotated(&prepared.inputs.key),
        value: prepared.inputs.value.clone(),
        mask: Some(prepared.hidden.clone()),
        causal: false,
    }))
}
