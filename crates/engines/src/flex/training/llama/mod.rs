//! Training of a LLaMA on plain slices: products, attention and what lies between them by our own kernels.

mod layout;
mod model;
#[cfg(test)]
mod tests;

use benchbook_core::{Inputs, Reference, Result, Row, Setting, Subject};
use benchbook_workloads::training::{EightBits, LlamaTraining, LlamaTrainingParams};

use super::casts::Scaling;
use super::keeping::Keeping;
use super::rows::{self, Trains};
use super::steps::{Course, stepped};
use super::told::Ends;
use crate::flex::decoding::Who;
use layout::Layout;
use model::Model;

/// Implementations of `llama-training`.
pub const ROWS: [Row<LlamaTraining>; 7] = [
    rows::kept(rows::BY_HAND),
    rows::checkpointed(),
    rows::every_second(),
    rows::selective(
        "as kept, norms, attention and SwiGLU are computed again (Korthikanti et al., arXiv 2205.05198, section 4.2)",
    ),
    rows::bf16(rows::IN_BF16),
    rows::fp8_dynamic(rows::IN_FP8),
    rows::fp8_delayed(rows::DELAYED),
];

impl Trains for LlamaTraining {
    fn sizes(params: &LlamaTrainingParams) -> [usize; 2] {
        [params.tokens(), params.width]
    }

    fn in_eight_bits(params: &LlamaTrainingParams, inputs: &Inputs, scaling: EightBits) -> Reference {
        Self::in_eight_bits(params, inputs, scaling)
    }

    fn prepare(
        name: &'static str,
        setting: &Setting,
        params: &LlamaTrainingParams,
        inputs: &Inputs,
        (keeping, scaling): (Keeping, Scaling),
    ) -> Result<Box<dyn Subject>> {
        let LlamaTrainingParams { layers, batch, seq, rate, .. } = *params;
        let model = Model::new(params, Layout::of(params).weights(inputs), keeping, scaling);
        let model = Who::new(name, setting).said(model)?;
        let course = Course { layers, batch, seq, steps: params.steps, rate };
        let steps = Self::steps(params);
        Ok(stepped((name, setting), model, course, inputs.get("ids"), Box::new(Ends), &steps))
    }
}
