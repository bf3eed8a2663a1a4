//! Projections and attention in one hand-written kernel.

use std::sync::Arc;

use benchbook_core::{DType, Implementation, Inputs, Params, Result, Setting, Subject, Support};
use benchbook_simd::Projections;
use burn::tensor::Tensor;

use super::ProjectedInputs;
use crate::flex::attention::fused_engine;
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::{TensorSubject, fused, open};

/// A block of positions goes all the way while it is in the cache: its queries are projected, attend, and are projected out.
/// Keys and values are projected to where attention reads them, so nothing is transposed.
///
/// Two things beside fusion tell it from [`super::Chain`]. Weights are packed before timing, since a model's weights stay,
/// while the chain's products pack theirs in every call: that counts where sequences are short. And the chain allocates its
/// intermediates, whose pages cost what the allocator makes of them. Each block reads the keys and values of every head, so
/// where those of a sequence are larger than the cache, the chain, which takes head after head, may be faster.
pub struct FusedProjected;

struct Prepared {
    input: Tensor<3>,
    weights: Arc<Projections>,
    causal: bool,
}

impl NamedInputs for Prepared {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        // Weights are packed before timing: they do not change any more.
        (name == "input").then_some(&mut self.input as &mut dyn Rows)
    }
}

impl Implementation for FusedProjected {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn workload(&self) -> &'static str {
        "projected-attention"
    }

    fn about(&self) -> &'static str {
        "hand-written: a block of positions is projected, attends and is projected out in the cache, weights packed once"
    }

    fn catalogue(&self) -> &'static [&'static str] {
        &["AT11"]
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
        let all = ProjectedInputs::upload(setting, &device, params, inputs).into_iter();
        let copies: Vec<Prepared> = all.map(packed).collect::<Result<_>>()?;
        Ok(Box::new(TensorSubject::checked(self.name(), &setting.device, device, copies, attend)))
    }
}

fn packed(inputs: ProjectedInputs) -> Result<Prepared> {
    let ProjectedInputs { input, query, key, value, out, heads, causal } = inputs;
    Ok(Prepared { input, weights: fused::projections(heads, [&query, &key, &value, &out])?, causal })
}

fn attend(prepared: &Prepared) -> Result<Tensor<3>> {
    fused::projected_attention(prepared.input.clone(), &prepared.weights, prepared.causal)
}
