//! Training of GPT-2 on plain slices: products, attention and what lies between them by our own kernels.

mod layout;
mod model;
#[cfg(test)]
mod tests;

use benchbook_core::{Inputs, Reference, Result, Row, Setting, StepsOf, Subject};
use benchbook_workloads::training::{EightBits, Gpt2Training, Gpt2TrainingParams};

use super::casts::Scaling;
use super::keeping::Keeping;
use super::rows::{self, Trains};
use super::steps::{Course, Way, stepped};
use super::told::Ends;
pub(super) use layout::Layout;
pub(super) use model::Model;

/// Implementations of `gpt2-training`.
pub const ROWS: [Row<Gpt2Training>; 7] = [
    rows::kept(rows::BY_HAND),
    rows::checkpointed(),
    rows::every_second(),
    rows::selective("as kept, norms and GELU are computed again (Korthikanti et al., arXiv 2205.05198, section 4.2)"),
    rows::bf16(
        "as kept, factors and gradients of the products of layers rounded to bf16 (Kalamkar et al., arXiv 1905.12322); the casts are \
         exact, the products are in f32",
    ),
    rows::fp8_dynamic(
        "as kept, factors of the products of layers rounded to e4m3, gradients to e5m2, each by the scale of its largest number \
         (Micikevicius et al., arXiv 2209.05433); the casts are exact, the products are in f32",
    )
    .catalogue(&["PR6", "MO11", "MO12", "MO13", "MO14"]),
    rows::fp8_delayed(
        "as fp8-dynamic, by the scale of the largest number of the 16 steps before, where there are any (delayed scaling of \
         Transformer Engine)",
    ),
];

impl Trains for Gpt2Training {
    fn sizes(params: &Gpt2TrainingParams) -> [usize; 2] {
        [params.tokens(), params.width]
    }

    fn in_eight_bits(params: &Gpt2TrainingParams, inputs: &Inputs, scaling: EightBits) -> Reference {
        Self::in_eight_bits(params, inputs, scaling)
    }

    fn prepare(
        name: &'static str,
        setting: &Setting,
        params: &Gpt2TrainingParams,
        inputs: &Inputs,
        (keeping, scaling): (Keeping, Scaling),
    ) -> Result<Box<dyn Subject>> {
        let way = Way { keeping, scaling, telling: Box::new(Ends) };
        Ok(prepared((name, setting), params, inputs, way, &Self::steps(params)))
    }
}

/// A loop of steps of training as something to time.
pub(super) fn prepared(
    who: (&'static str, &Setting),
    params: &Gpt2TrainingParams,
    inputs: &Inputs,
    Way { keeping, scaling, telling }: Way,
    steps: &StepsOf,
) -> Box<dyn Subject> {
    let Gpt2TrainingParams { layers, batch, seq, rate, .. } = *params;
    let model = Model::new(params, Layout::of(params).weights(inputs), keeping, scaling);
    let course = Course { layers, batch, seq, steps: params.steps, rate };
    stepped(who, model, course, inputs.get("ids"), telling, steps)
}
