//! Programmable attention: operations on whole score matrices, and closures in the fused kernel.

use std::ops::Range;
use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_workloads::attention::program::{CAP, document, seen, slope};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::flex::fused::{Place, Program, WithTiles};
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::{upload, upload_numbers};
use crate::flex::{CPU_DEVICES, TensorSubject, burn_engine, fused, fused_engine, open};

/// Matmul, the program as tensor operations, softmax, matmul: what one writes without a programmable kernel. Penalties and
/// hidden places are one array to add, made before timing.
pub struct Composed;

/// Inputs, and what a program does to all scores.
struct Operands {
    inputs: [Tensor<4>; 3],
    /// `[1, heads or 1, seq, seq]`
    added: Option<Tensor<4>>,
    capped: bool,
}

impl NamedInputs for Operands {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for Composed {
    fn name(&self) -> &'static str {
        "composed"
    }

    fn workload(&self) -> &'static str {
        "programmable-attention"
    }

    fn about(&self) -> &'static str {
        "matmul, the program as tensor operations on all scores in memory, softmax, matmul"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn engine(&self, device: &str) -> (String, String) {
        burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let one = |_| Operands {
            inputs: ["query", "key", "value"].map(|name| upload(inputs.get(name), &device, setting.dtype)),
            added: added(params, &device, setting.dtype),
            capped: params.text("program") == "softcap",
        };
        let copies = (0..setting.copies).map(one).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, by_burn)))
    }
}

/// What a program adds to scores; nothing where it adds nothing.
fn added(params: &Params, device: &Device, dtype: DType) -> Option<Tensor<4>> {
    let (seq, heads, program) = (params.size("seq"), params.size("heads"), params.text("program"));
    let heads = match program {
        "alibi" => heads,
        "document" => 1,
        _ => return None,
    };
    let steep = |head: usize| if program == "alibi" { slope(head, heads) } else { 0.0 };
    let steep: Vec<f64> = (0..heads).map(steep).collect();
    let number = |at: usize| {
        let (head, query, key) = (at / seq / seq, at / seq % seq, at % seq);
        let seen = seen(program, query, key, seq);
        if seen { -steep[head] * (query as f64 - key as f64) } else { f64::NEG_INFINITY }
    };
    Some(upload_numbers((0..heads * seq * seq).map(number), [1, heads, seq, seq], device, dtype))
}

fn by_burn(operands: &Operands) -> Tensor<4> {
    let [query, key, value] = operands.inputs.clone();
    let head_dim = query.dims()[3] as f64;
    let mut scores = query.mul_scalar(1.0 / head_dim.sqrt()).matmul(key.swap_dims(2, 3));
    if operands.capped {
        scores = scores.div_scalar(CAP).tanh().mul_scalar(CAP);
    }
    if let Some(added) = &operands.added {
        scores = scores + added.clone();
    }
    softmax(scores, 3).matmul(value)
}

/// Hand-written fused attention that calls a closure on each tile of scores, and leaves tiles out that it hides whole.
pub struct Closures;

/// Inputs, and the program as the kernel calls it.
struct Programmed {
    inputs: [Tensor<4>; 3],
    program: Arc<dyn Program>,
}

impl NamedInputs for Programmed {
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
        let one = |_| Programmed {
            inputs: ["query", "key", "value"].map(|name| upload(inputs.get(name), &device, setting.dtype)),
            program: program(params),
        };
        let copies: Vec<Programmed> = (0..setting.copies).map(one).collect();
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, by_hand)))
    }
}

fn by_hand(programmed: &Programmed) -> Result<Tensor<4>> {
    let [query, key, value] = programmed.inputs.clone();
    fused::programmable_attention(query, key, value, &programmed.program, fused::Options::default())
}

/// The program of a case.
fn program(params: &Params) -> Arc<dyn Program> {
    let (seq, heads) = (params.size("seq"), params.size("heads"));
    // Causal: a tile is left out where its first key comes after the last query.
    let causal = |queries: &Range<usize>, keys: &Range<usize>| keys.start < queries.end;
    match params.text("program") {
        "alibi" => {
            let slopes: Vec<f32> = (0..heads).map(|head| slope(head, heads) as f32).collect();
            let score = move |score: f32, at: Place| {
                let distance = at.query as f32 - at.key as f32;
                if distance < 0.0 { f32::NEG_INFINITY } else { score - slopes[at.head] * distance }
            };
            Arc::new(WithTiles { score, visits: causal })
        }
        "document" => {
            let score = move |score: f32, at: Place| {
                let same = document(at.query, seq) == document(at.key, seq);
                if at.key <= at.query && same { score } else { f32::NEG_INFINITY }
            };
            let visits = move |queries: &Range<usize>, keys: &Range<usize>| {
                keys.start < queries.end && document(keys.end - 1, seq) >= document(queries.start, seq)
            };
            Arc::new(WithTiles { score, visits })
        }
        _ => Arc::new(|score: f32, _: Place| CAP * (score / CAP).tanh()),
    }
}
