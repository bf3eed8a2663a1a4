//! Rows that problems of training share: what waits for the pass back, and what factors of products are rounded to.

use benchbook_core::{DType, Inputs, Problem, Reference, Result, Row, Setting, Subject, Support};
use benchbook_workloads::training::EightBits;

use super::casts::Scaling;
use super::keeping::Keeping;
use crate::flex::row::{Prepare, fused_row};

const F32: &[DType] = &[DType::F32];

/// What tells a run in eight bits from others; sums and everything beside products of layers are in `f32`. What is right has the same
/// factors, so that few numbers are as good as many.
const F8: &[DType] = &[DType::F8e4m3];

/// The same of sixteen bits.
const BF16: &[DType] = &[DType::Bf16];

/// Tokens of a step, and numbers of a position, at least where numbers are rounded beside an answer that is not: of fewer, what rounding
/// takes does not average out.
const LEAST: usize = 32;

/// What problems with weights from a seed say of [`kept`].
pub const BY_HAND: &str = "forward and back by hand: AVX-512, AVX2 or portable, FlashAttention-2, fused AdamW; everything waits for the pass back";

/// What problems beside `gpt2-training` say of [`bf16`], [`fp8_dynamic`] and [`fp8_delayed`].
pub const IN_BF16: &str =
    "as kept, factors of products in emulated floats of sixteen bits, as bf16 of gpt2-training (arXiv 1905.12322)";
pub const IN_FP8: &str =
    "as kept, factors of products in emulated floats of eight bits, as fp8-dynamic of gpt2-training (arXiv 2209.05433)";
pub const DELAYED: &str =
    "as fp8-dynamic, by the scale of the largest number of the 16 steps before, where there are any";

/// A problem whose loops are steps of training a model.
pub trait Trains: Problem {
    /// Tokens of a step, and numbers of a position.
    fn sizes(params: &Self::Params) -> [usize; 2];

    /// Whether what it trains on is here.
    fn is_here(_params: &Self::Params) -> Support {
        Support::Yes
    }

    /// What is right of a loop whose factors are rounded to eight bits.
    fn in_eight_bits(params: &Self::Params, inputs: &Inputs, scaling: EightBits) -> Reference;

    /// A loop as something to time.
    ///
    /// # Errors
    /// A model that our kernels do not take.
    fn prepare(
        name: &'static str,
        setting: &Setting,
        params: &Self::Params,
        inputs: &Inputs,
        way: (Keeping, Scaling),
    ) -> Result<Box<dyn Subject>>;
}

/// Everything waits for the pass back.
pub const fn kept<P: Trains>(about: &'static str) -> Row<P> {
    exact::<P>("kept", about, |name, setting, params, inputs| {
        P::prepare(name, setting, params, inputs, (Keeping::All, Scaling::None))
    })
    .catalogue(&["TR5", "ME14", "ME38"])
}

/// What comes into each layer waits.
pub const fn checkpointed<P: Trains>() -> Row<P> {
    let about =
        "as kept, of each layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, section 4)";
    exact::<P>("checkpointed", about, |name, setting, params, inputs| {
        P::prepare(name, setting, params, inputs, (Keeping::Every(1), Scaling::None))
    })
    .catalogue(&["TR1"])
}

/// What comes into every second layer waits.
pub const fn every_second<P: Trains>() -> Row<P> {
    let about = "as kept, of every second layer only what comes in waits for the pass back (Chen et al., arXiv 1604.06174, \
                 section 4)";
    exact::<P>("checkpointed-2", about, |name, setting, params, inputs| {
        P::prepare(name, setting, params, inputs, (Keeping::Every(2), Scaling::None))
    })
    .catalogue(&["TR1"])
    .on_request()
}

/// What products give waits.
pub const fn selective<P: Trains>(about: &'static str) -> Row<P> {
    exact::<P>("checkpointed-selective", about, |name, setting, params, inputs| {
        P::prepare(name, setting, params, inputs, (Keeping::Products, Scaling::None))
    })
    .catalogue(&["TR1"])
}

/// Factors of products have sixteen bits.
pub const fn bf16<P: Trains>(about: &'static str) -> Row<P> {
    let bf16 = fused_row::<P>("bf16", about, BF16, |name, setting, params, inputs| {
        P::prepare(name, setting, params, inputs, (Keeping::All, Scaling::Bf16))
    });
    bf16.only(|_, _, params| averages_out::<P>(params)).on_request()
}

/// Factors of products have eight bits, by the scale of their largest number.
pub const fn fp8_dynamic<P: Trains>(about: &'static str) -> Row<P> {
    eight_bits::<P>("fp8-dynamic", about, |name, setting, params, inputs| {
        P::prepare(name, setting, params, inputs, (Keeping::All, Scaling::Dynamic))
    })
    .approximating(|params, inputs, _| Some(P::in_eight_bits(params, inputs, EightBits::Dynamic)))
    .catalogue(&["PR6"])
}

/// The same by the scale of the largest number of steps before.
pub const fn fp8_delayed<P: Trains>(about: &'static str) -> Row<P> {
    eight_bits::<P>("fp8-delayed", about, |name, setting, params, inputs| {
        P::prepare(name, setting, params, inputs, (Keeping::All, Scaling::Delayed))
    })
    .approximating(|params, inputs, _| Some(P::in_eight_bits(params, inputs, EightBits::Delayed)))
    .catalogue(&["PR6"])
}

const fn exact<P: Trains>(name: &'static str, about: &'static str, prepare: Prepare<P>) -> Row<P> {
    fused_row::<P>(name, about, F32, prepare).only(|_, _, params| P::is_here(params))
}

const fn eight_bits<P: Trains>(name: &'static str, about: &'static str, prepare: Prepare<P>) -> Row<P> {
    fused_row::<P>(name, about, F8, prepare).only(|_, _, params| P::is_here(params)).on_request()
}

/// Whether what it trains on is here, and rounding averages out of so many tokens of so many numbers each.
fn averages_out<P: Trains>(params: &P::Params) -> Support {
    let [tokens, width] = P::sizes(params);
    match P::is_here(params) {
        Support::Yes if tokens.min(width) < LEAST => Support::No(format!(
            "of {tokens} tokens and {width} numbers each, rounding does not average out, {LEAST} are the least"
        )),
        here => here,
    }
}
