//! The way back through a residual sum, its norm and a gate: an operation after another, and in one pass.

use benchbook_core::{Array, DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{self as simd, ChainBackward, Fusion, Isa};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::training::{NormChainGradients, NormChainGradientsParams};

use crate::flex::calls::{Calls, Named, named, numbers, room};
use crate::flex::row::fused_row;
use crate::flex::weight_only::own_bytes;

/// Implementations of `norm-chain-gradients`.
pub const ROWS: [Row<NormChainGradients>; 3] = [CONSERVATIVE, AGGRESSIVE, UNFUSED];

/// Names of the inputs.
const NAMES: [&str; 5] = ["sum", "gate", "gain", "sum_grad", "output_grad"];

/// Matrices that are read and written where each operation is a pass of its own: two, five, four and two.
const IN_PASSES: usize = 13;

/// The same where sum, gate and gradient are read again for the gain, and at least.
const CONSERVATIVELY: usize = 9;
const AGGRESSIVELY: usize = 6;

const CONSERVATIVE: Row<NormChainGradients> = fused_row::<NormChainGradients>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, one pass and one more for the gain, every number with the bits of the unfused chain",
    &[DType::F32],
    |name, setting, params, inputs| fused(name, setting, params, inputs, Fusion::Conservative),
)
.catalogue(&["TR4"]);

const AGGRESSIVE: Row<NormChainGradients> = fused_row::<NormChainGradients>(
    "fused-aggressive",
    "hand-written: AVX-512, AVX2 or portable, one pass, the gradient of the gain added up in another order",
    &[DType::F32],
    |name, setting, params, inputs| fused(name, setting, params, inputs, Fusion::Aggressive),
)
.catalogue(&["TR4"]);

const UNFUSED: Row<NormChainGradients> = fused_row::<NormChainGradients>(
    "unfused",
    "hand-written: AVX-512, AVX2 or portable, a pass for the norm, the gate back, the norm back and the gain each",
    &[DType::F32],
    unfused,
);

/// The chain of these inputs.
fn chain<'a>(width: usize, inputs: &'a [Named; 5]) -> ChainBackward<'a> {
    let [sum, gate, gain, past, grad] = numbers(inputs);
    ChainBackward { width, sum, gate, gain, past, grad, epsilon: EPSILON, isa: Isa::detect() }
}

/// Room for the outputs.
fn outputs(params: &NormChainGradientsParams) -> [Array; 3] {
    let NormChainGradientsParams { rows, width } = *params;
    [[rows, width], [rows, width], [1, width]].map(|shape| room::<f32>(shape.to_vec()))
}

fn fused(
    name: &'static str,
    setting: &Setting,
    params: &NormChainGradientsParams,
    inputs: &Inputs,
    fusion: Fusion,
) -> Result<Box<dyn Subject>> {
    let NormChainGradientsParams { rows, width } = *params;
    let copy = || Ok(named(inputs, NAMES));
    let kernel = move |inputs: &mut [Named; 5], outputs: &mut [Array; 3]| {
        simd::chain_backward(&chain(width, inputs), fusion, outputs.each_mut().map(|array| array.of_mut::<f32>()))
    };
    let moved = if fusion == Fusion::Aggressive { AGGRESSIVELY } else { CONSERVATIVELY };
    let bytes = own_bytes((moved * rows + 2) * width * size_of::<f32>());
    Ok(Box::new(Calls::new(name, setting, copy, &outputs(params), kernel)?.with_metrics(vec![bytes])))
}

fn unfused(
    name: &'static str,
    setting: &Setting,
    params: &NormChainGradientsParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let NormChainGradientsParams { rows, width } = *params;
    let between = || [vec![0.0_f32; rows * width], vec![0.0_f32; rows * width]];
    let copy = || Ok((named(inputs, NAMES), between()));
    let kernel = move |(inputs, room): &mut ([Named; 5], [Vec<f32>; 2]), outputs: &mut [Array; 3]| {
        let room = room.each_mut().map(|numbers| &mut numbers[..]);
        let to = outputs.each_mut().map(|array| array.of_mut::<f32>());
        simd::chain_backward_in_passes(&chain(width, inputs), room, to)
    };
    let bytes = own_bytes((IN_PASSES * rows + 2) * width * size_of::<f32>());
    Ok(Box::new(Calls::new(name, setting, copy, &outputs(params), kernel)?.with_metrics(vec![bytes])))
}
