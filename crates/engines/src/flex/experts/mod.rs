//! Mixtures of experts on plain slices: routers, layers whose rows are sorted by expert or computed by all, and gradients.

pub mod gradients;
pub mod layer;
pub mod routing;

use benchbook_core::{Array, Inputs};
use benchbook_simd::{Router, Scoring};
use benchbook_workloads::experts;

use crate::flex::subject::{NamedInputs, Rows};

/// What a router decides by.
struct Logits {
    /// `[tokens, experts]`
    logits: Array,
    /// `[experts]`, where a bias has a say in the choice.
    bias: Option<Array>,
}

impl Logits {
    fn of(inputs: &Inputs, router: &experts::Router) -> Self {
        let bias = (router.scoring == experts::Scoring::Sigmoid).then(|| inputs.get("bias").clone());
        Self { logits: inputs.get("logits").clone(), bias }
    }

    /// The router of a case.
    fn router(&self, of: &experts::Router) -> Router<'_> {
        let scoring = match of.scoring {
            experts::Scoring::Softmax => Scoring::Softmax,
            experts::Scoring::TopkSoftmax => Scoring::TopkSoftmax,
            experts::Scoring::Sigmoid => Scoring::Sigmoid,
        };
        let bias = self.bias.as_ref().map(|bias| bias.of::<f32>());
        Router { experts: of.experts, chosen: of.chosen, scoring, renormalised: of.renormalised, bias }
    }
}

impl NamedInputs for Logits {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        match name {
            "logits" => Some(&mut self.logits),
            "bias" => self.bias.as_mut().map(|bias| bias as &mut dyn Rows),
            _ => None,
        }
    }
}
