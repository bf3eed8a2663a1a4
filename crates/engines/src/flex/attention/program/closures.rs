//! Programs as closures in the fused kernel.

use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::programs::program;
use crate::flex::attention::fused_engine;
use crate::flex::fused::Program;
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::upload;
use crate::flex::{TensorSubject, fused, open};

/// Hand-written fused attention that calls a closure on each tile of scores, and leaves tiles out that it hides whole.
pub struct Closures;

struct Prepared {
    inputs: [Tensor<4>; 3],
    program: Arc<dyn Program>,
}

impl NamedInputs for Prepared {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for Closures {
    fn name(&self) -> &'static str {
        "closures"
    }

    fn workload(&self) -> &'static str {
        "programmable-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written fused attention, a Rust closure for scores and one for tiles (FlexAttention's idea, arXiv 2412.05496)"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT8"]
    }

    fn devices(&self) -> Vec<&'static str> {
        vec!["flex"]
    }

    fn supports(&self, _device: &str, dtype: DType, _params: &Params) -> Support {
        Support::of(&[DType::F32, DType::Bf16], dtype)
    }

    fn engine(&self, _device: &str) -> (String, String) {
        fused_engine()
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let one = |_| Prepared {
            inputs: ["query", "key", "value"].map(|name| upload(inputs.get(name), &device, setting.dtype)),
            program: program(params),
        };
        let copies: Vec<Prepared> = (0..setting.copies).map(one).collect();
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, attend)))
    }
}

fn attend(prepared: &Prepared) -> Result<Tensor<4>> {
    let [query, key, value] = prepared.inputs.clone();
    fused::programmable_attention(query, key, value, &prepared.program, fused::Options::default())
}
