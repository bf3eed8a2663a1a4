//! The selective scan of Mamba: step by step, as an associative scan, and hand-written.

use benchbook_core::{DType, Result, Row, Support};
use benchbook_simd::{self as simd, Isa, ScanGradients, ScanSize};
use benchbook_workloads::mixers::{SelectiveScan, SelectiveScanGradients, SelectiveScanParams};
use burn::tensor::Tensor;

use super::{Tensors, few_steps, named, numbers, silu, softplus, step};
use crate::flex::calls::{Calls, Named};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;

/// Implementations of `selective-scan`.
pub const ROWS: [Row<SelectiveScan>; 3] = [LOOP, ASSOCIATIVE, FUSED];

pub(super) const NAMES: [&str; 9] = ["x", "delta", "z", "b", "c", "a_log", "delta_bias", "d", "start"];

/// States of all steps in memory at most, where they are there at all.
const MOST_STATES: usize = 1 << 27;

/// A few operations on tensors for each step.
pub const LOOP: Row<SelectiveScan> = burn_row::<SelectiveScan>(
    "loop",
    "a loop over steps, a few tensor operations each, one state in memory (arXiv 2312.00752, algorithm 2)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, |on, _, inputs| Ok(Tensors::upload(on, inputs, NAMES)), by_loop)
    },
)
.only(|_, _, params: &SelectiveScanParams| few_steps(params.seq))
.catalogue(&["SM1"]);

/// Inputs of a scan, `[batch, seq, channels]` and the like, with Δ made: Δ, Δ x, −exp(`a_log`), and the rest.
struct Prepared {
    delta: Tensor<3>,
    added: Tensor<3>,
    /// `[1, channels, state]`
    rate: Tensor<3>,
    b: Tensor<3>,
    c: Tensor<3>,
    /// `[batch, channels, state]`
    start: Tensor<3>,
    /// D x and the gate.
    skip: Tensor<3>,
    gate: Tensor<3>,
}

fn prepared(inputs: &Tensors<3, 9>) -> Prepared {
    let [x, delta, z, b, c, a_log, delta_bias, d, start] = inputs.all.clone();
    let delta = softplus(delta + delta_bias);
    let (added, skip) = (delta.clone() * x.clone(), d * x);
    Prepared { delta, added, rate: a_log.exp().neg(), b, c, start, skip, gate: silu(z) }
}

pub(super) fn by_loop(inputs: &Tensors<3, 9>) -> Result<[Tensor<3>; 2]> {
    let Prepared { delta, added, rate, b, c, start, skip, gate } = prepared(inputs);
    let [_, seq, _] = delta.dims();
    // As columns `[batch, channels, 1]`.
    let column = |tensor: &Tensor<3>, at: usize| step(tensor, at).swap_dims(1, 2);
    let (mut h, mut sums) = (start, Vec::with_capacity(seq));
    for at in 0..seq {
        let decay = (column(&delta, at) * rate.clone()).exp();
        h = decay * h + column(&added, at) * step(&b, at);
        sums.push((h.clone() * step(&c, at)).sum_dim(2).swap_dims(1, 2));
    }
    Ok([(Tensor::cat(sums, 1) + skip) * gate, h])
}

/// Pairs of a decay and what is added make a scan of log₂ `seq` rounds (Hillis & Steele, CACM 29(12), 1986), with all states of
/// all steps in memory.
pub const ASSOCIATIVE: Row<SelectiveScan> = burn_row::<SelectiveScan>(
    "associative",
    "an associative scan in log2(seq) rounds over all states of all steps (Hillis & Steele, CACM 29(12), 1986)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, |on, _, inputs| Ok(Tensors::upload(on, inputs, NAMES)), by_rounds)
    },
)
.only(few_states)
.catalogue(&["SM1"]);

fn few_states(_device: &str, _dtype: DType, params: &SelectiveScanParams) -> Support {
    let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
    let states = batch * seq * channels * state;
    if states <= MOST_STATES {
        return Support::Yes;
    }
    Support::No(format!("{states} numbers of states of all steps take too much memory, {MOST_STATES} are the most"))
}

fn by_rounds(inputs: &Tensors<3, 9>) -> Result<[Tensor<3>; 2]> {
    let Prepared { delta, added, rate, b, c, start, skip, gate } = prepared(inputs);
    let ([batch, seq, channels], [_, _, state]) = (delta.dims(), b.dims());
    let column = |tensor: Tensor<3>| tensor.reshape([batch, seq, channels, 1]);
    let row = |tensor: Tensor<3>| tensor.reshape([batch, seq, 1, state]);
    let mut decay = (column(delta) * rate.reshape([1, 1, channels, state])).exp();
    let mut h = column(added) * row(b);
    let first = step(&decay, 0) * start.reshape([batch, 1, channels, state]) + step(&h, 0);
    h = if seq == 1 { first } else { Tensor::cat(vec![first, h.narrow(1, 1, seq - 1)], 1) };
    let mut offset = 1;
    while offset < seq {
        let rest = seq - offset;
        let later = decay.clone().narrow(1, offset, rest);
        let joined = later.clone() * h.clone().narrow(1, 0, rest) + h.clone().narrow(1, offset, rest);
        h = Tensor::cat(vec![h.narrow(1, 0, offset), joined], 1);
        let joined = later * decay.clone().narrow(1, 0, rest);
        decay = Tensor::cat(vec![decay.narrow(1, 0, offset), joined], 1);
        offset *= 2;
    }
    let end = step(&h, seq - 1).reshape([batch, channels, state]);
    let sums = (h * row(c)).sum_dim(3).reshape([batch, seq, channels]);
    Ok([(sums + skip) * gate, end])
}

/// States stay in registers over chunks of steps.
pub const FUSED: Row<SelectiveScan> = fused_row::<SelectiveScan>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, states in registers over chunks of steps, channels as lanes, 2^x by vectors",
    &[DType::F32],
    |name, setting, params, inputs| {
        let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
        let size = ScanSize { batch, seq, channels, state };
        let shapes = [vec![batch, seq, channels], vec![batch, channels, state]];
        let kernel = move |inputs: &[Named; 9], [out, end]: [&mut [f32]; 2]| {
            let [x, delta, z, b, c, a_log, delta_bias, d, start] = numbers(inputs);
            let isa = Isa::detect();
            let call = simd::SelectiveScan { size, x, delta, delta_bias, a_log, b, c, d, z, start, isa };
            simd::selective_scan(&call, out, end)
        };
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES), shapes, kernel)))
    },
)
.catalogue(&["SM1"]);

/// Implementations of `selective-scan-gradients`.
pub const ROWS_BACK: [Row<SelectiveScanGradients>; 1] = [BACKWARD];

/// Those of the scan, and the gradient of its result.
const NAMES_BACK: [&str; 10] = ["x", "delta", "z", "b", "c", "a_log", "delta_bias", "d", "start", "grad"];

/// One state in 64 steps is kept, and those between are computed again.
pub const BACKWARD: Row<SelectiveScanGradients> = fused_row::<SelectiveScanGradients>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, states as lanes, one in 64 steps kept and the others computed again",
    &[DType::F32],
    |name, setting, params, inputs| {
        let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
        let size = ScanSize { batch, seq, channels, state };
        let shapes: [Vec<usize>; 9] = std::array::from_fn(|at| inputs.get(NAMES_BACK[at]).shape().to_vec());
        let kernel = move |inputs: &[Named; 10], outs: [&mut [f32]; 9]| {
            let [x, delta, z, b, c, a_log, delta_bias, d, start, grad] = numbers(inputs);
            let isa = Isa::detect();
            let call = simd::SelectiveScan { size, x, delta, delta_bias, a_log, b, c, d, z, start, isa };
            let [x, delta, z, b, c, a_log, delta_bias, d, start] = outs;
            let gradients = ScanGradients { x, delta, z, b, c, a_log, delta_bias, d, start };
            simd::selective_scan_backward(&call, grad, gradients)
        };
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES_BACK), shapes, kernel)))
    },
)
.catalogue(&["SM1"]);
