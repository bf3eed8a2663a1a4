//! Programs as operations on whole score matrices.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::programs::{CAP, seen, slope};
use crate::subject::{NamedInputs, Rows};
use crate::tensor::{burn_dtype, upload};
use crate::{CPU_DEVICES, TensorSubject, matmul, open};

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
    let mut numbers = Vec::with_capacity(heads * seq * seq);
    for head in 0..heads {
        let steep = if program == "alibi" { slope(head, heads) } else { 0.0 };
        for query in 0..seq {
            let number = |key: usize| {
                let seen = seen(program, query, key, seq);
                if seen { (-steep * (query as f64 - key as f64)) as f32 } else { f32::NEG_INFINITY }
            };
            numbers.extend((0..seq).map(number));
        }
    }
    Some(Tensor::from_data(TensorData::new(numbers, [1, heads, seq, seq]), (device, burn_dtype(dtype))))
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
