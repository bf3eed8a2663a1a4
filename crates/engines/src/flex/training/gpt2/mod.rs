//! Training of GPT-2 on plain slices: products, attention and what lies between them by our own kernels.

mod layout;
mod model;
#[cfg(test)]
mod tests;

use benchbook_core::{DType, Inputs, Result, Row, Setting, StepsOf, Subject, Support};
use benchbook_workloads::training::{Gpt2Training, Gpt2TrainingParams};

use super::casts::Scaling;
use super::keeping::Keeping;
use super::steps::{Course, Way, stepped};
use super::told::Ends;
pub(super) use layout::Layout;
pub(super) use model::Model;

use crate::flex::row::fused_row;

/// Implementations of `gpt2-training`.
pub const ROWS: [Row<Gpt2Training>; 7] = [KEPT, CHECKPOINTED, EVERY_SECOND, SELECTIVE, HALF, FP8_DYNAMIC, FP8_DELAYED];

const F32: &[DType] = &[DType::F32];

/// What tells a run in eight bits from others; sums and everything beside products of layers are in `f32`.
const F8: &[DType] = &[DType::F8e4m3];

/// The same of sixteen bits.
const BF16: &[DType] = &[DType::Bf16];

/// Tokens of a step, and numbers of a position, at least where numbers are rounded: of fewer, what rounding takes does not average out.
const LEAST: usize = 32;

const KEPT: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "kept",
    "forward and back by hand: AVX-512, AVX2 or portable, FlashAttention-2, fused AdamW; everything waits for the pass back",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::None)),
)
.catalogue(&["TR5"]);

const CHECKPOINTED: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "checkpointed",
    "as kept, of each layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, section 4)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Every(1), Scaling::None)),
)
.catalogue(&["TR1"]);

const EVERY_SECOND: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "checkpointed-2",
    "as kept, of every second layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, section 4)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Every(2), Scaling::None)),
)
.catalogue(&["TR1"])
.on_request();

const SELECTIVE: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "checkpointed-selective",
    "as kept, norms and GELU are computed again (Korthikanti et al., arXiv 2205.05198, section 4.2)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Products, Scaling::None)),
)
.catalogue(&["TR1"]);

const HALF: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "bf16",
    "as kept, factors and gradients of the products of layers rounded to bf16 (Kalamkar et al., arXiv 1905.12322); the casts are exact, \
     the products are in f32",
    BF16,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Bf16)),
)
.only(|_, _, params: &Gpt2TrainingParams| enough(params.tokens(), params.width))
.on_request();

const FP8_DYNAMIC: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "fp8-dynamic",
    "as kept, factors of the products of layers rounded to e4m3, gradients to e5m2, each by the scale of its largest number \
     (Micikevicius et al., arXiv 2209.05433); the casts are exact, the products are in f32",
    F8,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Dynamic)),
)
.only(|_, _, params: &Gpt2TrainingParams| enough(params.tokens(), params.width))
.catalogue(&["PR6"])
.on_request();

const FP8_DELAYED: Row<Gpt2Training> = fused_row::<Gpt2Training>(
    "fp8-delayed",
    "as fp8-dynamic, by the scale of the largest number of the 16 steps before, where there are any (delayed scaling of Transformer Engine)",
    F8,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Delayed)),
)
.only(|_, _, params: &Gpt2TrainingParams| enough(params.tokens(), params.width))
.catalogue(&["PR6"])
.on_request();

/// Whether rounding averages out, of so many tokens of so many numbers each.
pub(super) fn enough(tokens: usize, width: usize) -> Support {
    if tokens.min(width) >= LEAST {
        return Support::Yes;
    }
    Support::No(format!(
        "of {tokens} tokens and {width} numbers each, rounding does not average out, {LEAST} are the least"
    ))
}

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &Gpt2TrainingParams,
    inputs: &Inputs,
    (keeping, scaling): (Keeping, Scaling),
) -> Result<Box<dyn Subject>> {
    let way = Way { keeping, scaling, telling: Box::new(Ends) };
    Ok(prepared((name, setting), params, inputs, way, &Gpt2Training::steps(params)))
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
