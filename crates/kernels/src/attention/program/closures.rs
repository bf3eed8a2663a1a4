//! Programs as closures in the fused kernel.

use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::Tensor;

use super::programs::program;
use crate::attention::fused_engine;
use crate::fused::Program;
use crate::tensor::upload;
use crate::{TensorSubject, fused, open};

/// Hand-written fused attention that calls a closure on each tile of scores, and leaves tiles out that it hides whole.
pub struct Closures;

struct Prepared {
    inputs: [Tensor<4>; 3],
    program: Arc<dyn Program>,
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
        match dtype {
            DType::F32 | DType::Bf16 => Support::Yes,
            other => Support::No(format!("written for f32 and bf16, not for {other}")),
        }
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
        // What is wrong with the shapes is said here, not in the timed call.
        copies.first().map(attend).transpose()?;
        let call = |prepared: &Prepared| attend(prepared).unwrap_or_else(|error| panic!("{error}"));
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, call)))
    }
}

fn attend(prepared: &Prepared) -> Result<Tensor<4>> {
    let [query, key, value] = prepared.inputs.clone();
    fused::programmable_attention(query, key, value, &prepared.program, fused::Options::default())
}
