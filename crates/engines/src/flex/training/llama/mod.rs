//! Training of a LLaMA on plain slices: products, attention and what lies between them by our own kernels.

mod layout;
mod model;
#[cfg(test)]
mod tests;

use benchbook_core::{DType, Inputs, Result, Row, Setting, Subject, Support};
use benchbook_workloads::training::{LlamaTraining, LlamaTrainingParams};

use super::casts::Scaling;
use super::gpt2::enough;
use super::keeping::Keeping;
use super::steps::{Course, stepped};
use super::told::Ends;
use crate::flex::decoding::Who;
use crate::flex::row::fused_row;
use layout::Layout;
use model::Model;

/// Implementations of `llama-training`.
pub const ROWS: [Row<LlamaTraining>; 7] = [KEPT, CHECKPOINTED, EVERY_SECOND, SELECTIVE, HALF, FP8_DYNAMIC, FP8_DELAYED];

const F32: &[DType] = &[DType::F32];

/// See those of `gpt2-training`.
const F8: &[DType] = &[DType::F8e4m3];
const BF16: &[DType] = &[DType::Bf16];

const KEPT: Row<LlamaTraining> = fused_row::<LlamaTraining>(
    "kept",
    "forward and back by hand: AVX-512, AVX2 or portable, FlashAttention-2, fused AdamW; everything waits for the pass back",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::None)),
)
.catalogue(&["TR5"]);

const CHECKPOINTED: Row<LlamaTraining> = fused_row::<LlamaTraining>(
    "checkpointed",
    "as kept, of each layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, section 4)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Every(1), Scaling::None)),
)
.catalogue(&["TR1"]);

const EVERY_SECOND: Row<LlamaTraining> = fused_row::<LlamaTraining>(
    "checkpointed-2",
    "as kept, of every second layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, section 4)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Every(2), Scaling::None)),
)
.catalogue(&["TR1"])
.on_request();

const SELECTIVE: Row<LlamaTraining> = fused_row::<LlamaTraining>(
    "checkpointed-selective",
    "as kept, norms, attention and SwiGLU are computed again (Korthikanti et al., arXiv 2205.05198, section 4.2)",
    F32,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::Products, Scaling::None)),
)
.catalogue(&["TR1"]);

const HALF: Row<LlamaTraining> = fused_row::<LlamaTraining>(
    "bf16",
    "as kept, factors of products in emulated floats of sixteen bits, as bf16 of gpt2-training (arXiv 1905.12322)",
    BF16,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Bf16)),
)
.only(|_, _, params: &LlamaTrainingParams| averages_out(params))
.on_request();

const FP8_DYNAMIC: Row<LlamaTraining> = fused_row::<LlamaTraining>(
    "fp8-dynamic",
    "as kept, factors of products in emulated floats of eight bits, as fp8-dynamic of gpt2-training (arXiv 2209.05433)",
    F8,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Dynamic)),
)
.only(|_, _, params: &LlamaTrainingParams| averages_out(params))
.catalogue(&["PR6"])
.on_request();

const FP8_DELAYED: Row<LlamaTraining> = fused_row::<LlamaTraining>(
    "fp8-delayed",
    "as fp8-dynamic, by the scale of the largest number of the 16 steps before, where there are any",
    F8,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, (Keeping::All, Scaling::Delayed)),
)
.only(|_, _, params: &LlamaTrainingParams| averages_out(params))
.catalogue(&["PR6"])
.on_request();

fn averages_out(params: &LlamaTrainingParams) -> Support {
    enough(params.tokens(), params.width)
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
    let steps = LlamaTraining::steps(params);
    Ok(stepped((name, setting), model, course, inputs.get("ids"), Box::new(Ends), &steps))
}
