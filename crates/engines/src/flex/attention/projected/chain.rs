//! One operation after another.

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use burn::tensor::{Bool, Device, Tensor};

use super::ProjectedInputs;
use crate::flex::attention::naive::{self, attend};
use crate::flex::attention::{AttentionInputs, fused_engine};
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::{CPU_DEVICES, TensorSubject, fused, matmul, open};

/// Three products, heads moved before each other, attention, heads moved back, a product: every intermediate in memory.
///
/// On `flex` products and attention are our own, so that what fusion gains is not what better parts gain. On `libtorch` they
/// are burn's, with all scores in memory; what causality hides is in a mask made before timing.
pub struct Chain;

struct Prepared {
    inputs: ProjectedInputs,
    /// `[batch, 1, seq, seq]`
    hidden: Option<Tensor<4, Bool>>,
}

impl NamedInputs for Prepared {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        self.inputs.input(name)
    }
}

impl Implementation for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn workload(&self) -> &'static str {
        "projected-attention"
    }

    fn about(&self) -> &'static str {
        "matmul three times, transposed, attention, transposed, matmul: hand-written parts on flex, burn's on libtorch"
    }

    fn devices(&self) -> Vec<&'static str> {
        CPU_DEVICES.to_vec()
    }

    fn supports(&self, device: &str, dtype: DType, _params: &Params) -> Support {
        if device == "flex" { Support::of(&[DType::F32], dtype) } else { Support::Yes }
    }

    fn engine(&self, device: &str) -> (String, String) {
        if device == "flex" { fused_engine() } else { matmul::burn_engine(device) }
    }

    fn prepare(&self, setting: &Setting, params: &Params, inputs: &Inputs) -> Result<Box<dyn Subject>> {
        let device = open(&setting.device)?;
        let ours = setting.device == "flex";
        let one = |inputs: ProjectedInputs| {
            let hidden = (inputs.causal && !ours).then(|| hidden(&inputs, &device));
            Prepared { inputs, hidden }
        };
        let copies = ProjectedInputs::upload(setting, &device, params, inputs).into_iter().map(one).collect();
        let call = if ours { by_hand } else { by_burn };
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, call)))
    }
}

fn hidden(inputs: &ProjectedInputs, device: &Device) -> Tensor<4, Bool> {
    let [batch, seq, _] = inputs.input.dims();
    // burn's tril_mask is true outside the lower triangle.
    Tensor::<2, Bool>::tril_mask([seq, seq], 0, device).unsqueeze::<4>().expand([batch, 1, seq, seq])
}

fn by_hand(Prepared { inputs, .. }: &Prepared) -> Result<Tensor<3>> {
    let options = fused::Options { causal: inputs.causal, ..Default::default() };
    chain(inputs, fused::matmul, |[query, key, value]| fused::attention(query, key, value, None, options))
}

fn by_burn(Prepared { inputs, hidden }: &Prepared) -> Result<Tensor<3>> {
    let multiply = |left: Tensor<2>, right: Tensor<2>| Ok(left.matmul(right));
    chain(inputs, multiply, |[query, key, value]| {
        let inputs = AttentionInputs { query, key, value, mask: hidden.clone(), causal: false };
        Ok(attend(&naive::Prepared::new(inputs)))
    })
}

fn chain(
    inputs: &ProjectedInputs,
    multiply: impl Fn(Tensor<2>, Tensor<2>) -> Result<Tensor<2>>,
    attend: impl Fn([Tensor<4>; 3]) -> Result<Tensor<4>>,
) -> Result<Tensor<3>> {
    let [batch, seq, width] = inputs.input.dims();
    let [heads, kv_heads] = inputs.heads;
    let project = |weights: &Tensor<2>, count: usize| -> Result<Tensor<4>> {
        let all = multiply(inputs.input.clone().reshape([batch * seq, width]), weights.clone())?;
        Ok(all.reshape([batch, seq, count, width / heads]).swap_dims(1, 2))
    };
    let (query, key) = (project(&inputs.query, heads)?, project(&inputs.key, kv_heads)?);
    let attended = attend([query, key, project(&inputs.value, kv_heads)?])?;
    let together = attended.swap_dims(1, 2).reshape([batch * seq, width]);
    Ok(multiply(together, inputs.out.clone())?.reshape([batch, seq, width]))
}
