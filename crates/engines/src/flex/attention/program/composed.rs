//! Programs as operations on whole score matrices.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject};
use benchbook_workloads::attention::program::{CAP, seen, slope};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::{upload, upload_numbers};
use crate::flex::{CPU_DEVICES, TensorSubject, matmul, open};

/// Matmul, the program as tensor operations, softmax, matmul: what one writes without a programmable kernel. Penalties and
/// hidden places are one array to add, made before timing.
pub struct Composed;

struct Prepared {
    inputs: [Tensor<4>; 3],
    /// `[1, heads or 1, seq, seq]`
    added: Option<Tensor<4>>,
    capped: bool,
}

impl NamedInputs for Prepared {
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
        matmul::burn_engine(device)
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let one = |_| Prepared {
            inputs: ["query", "key", "value"].map(|name| upload(inputs.get(name), &device, setting.dtype)),
            added: added(params, &device, setting.dtype),
            capped: params.text("program") == "softcap",
        };
        let copies = (0..setting.copies).map(one).collect();
        Ok(Box::new(TensorSubject::new(self.name(), &setting.device, device, copies, attend)))
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

fn attend(prepared: &Prepared) -> Tensor<4> {
    let [query, key, value] = prepared.inputs.clone();
    let head_dim = query.dims()[3] as f64;
    let mut scores = query.mul_scalar(1.0 / head_dim.sqrt()).matmul(key.swap_dims(2, 3));
    if prepared.capped {
        scores = scores.div_scalar(CAP).tanh().mul_scalar(CAP);
    }
    if let Some(added) = &prepared.added {
        scores = scores + added.clone();
    }
    softmax(scores, 3).matmul(value)
}
