//! Stacks of layers: of tensor operations, and of our own kernels.

mod composed;
mod fused;

use benchbook_core::{DType, Row, Support};
use benchbook_workloads::mixers::{HybridStack, HybridStackParams, LayerKind};

use super::{MOST_SCORES, few_scores, few_steps};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;

/// Implementations of `hybrid-stack`.
pub const ROWS: [Row<HybridStack>; 2] = [COMPOSED, FUSED];

/// Each mixer as it is written with tensors: scores in memory, duality in chunks, other recurrences step by step.
pub const COMPOSED: Row<HybridStack> = burn_row::<HybridStack>(
    "composed",
    "tensor operations: attention and retention with their scores in memory, duality in chunks of 64 steps, Mamba and RWKV step by \
     step, every position by every expert",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        if params.choices()[0] > 0 {
            prepare(name, setting, params, inputs, composed::upload, composed::stacked_with_choices)
        } else {
            prepare(name, setting, params, inputs, composed::upload, composed::stacked)
        }
    },
)
.only(|_, _, params: &HybridStackParams| takes(params))
.catalogue(&["SM5"]);

fn takes(params: &HybridStackParams) -> Support {
    let has = |of: &[LayerKind]| params.kinds().iter().any(|kind| of.contains(kind));
    let scores = has(&[LayerKind::Attention, LayerKind::Retention]);
    let steps = has(&[LayerKind::Mamba, LayerKind::Rwkv4, LayerKind::Rwkv6, LayerKind::Rwkv7]);
    let asked = [
        scores.then(|| few_scores([params.batch, params.heads, params.seq])),
        steps.then(|| few_steps(params.seq)),
        has(&[LayerKind::Experts]).then(|| few_hidden(params)),
    ];
    asked.into_iter().flatten().find(|support| *support != Support::Yes).unwrap_or(Support::Yes)
}

/// Keeps what all experts make of all positions from filling memory.
fn few_hidden(params: &HybridStackParams) -> Support {
    let numbers = params.experts * params.batch * params.seq * params.between();
    if numbers <= MOST_SCORES {
        return Support::Yes;
    }
    Support::No(format!("all experts make {numbers} numbers of all positions, {MOST_SCORES} are the most"))
}

/// Our own kernels one after another, in room that is kept from call to call.
pub const FUSED: Row<HybridStack> = fused_row::<HybridStack>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing; attention with its projections and feed-forward in one \
     kernel each, rows sorted by expert, products, mixers and gated norms between",
    &[DType::F32],
    fused::prepare,
)
.catalogue(&["SM5"]);
