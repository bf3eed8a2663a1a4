//! The whole sequence in one memory.

use benchbook_core::{DType, Inputs, Row};
use benchbook_workloads::attention::{RingAttention, RingAttentionParams};

use super::AttentionInputs;
use super::sdpa::by_hand;
use crate::flex::row::fused_row;
use crate::flex::subject::prepare;
use crate::flex::tensor::Target;

/// Our fused attention in one worker, which holds the whole sequence: what a ring is compared with. All its threads
/// share it.
pub const WHOLE: Row<RingAttention> = fused_row::<RingAttention>(
    "whole",
    "hand-written fused attention with the whole sequence in one memory (arXiv 2307.08691)",
    &[DType::F32],
    |name, setting, params, inputs| {
        let upload = |on: &Target, params: &RingAttentionParams, inputs: &Inputs| {
            Ok(AttentionInputs::unmasked(on, inputs, params.causal))
        };
        prepare(name, setting, params, inputs, upload, by_hand)
    },
);
