//! The chain of a residual sum, its norm and a gate: an operation after another, and in one pass.

use benchbook_core::{Array, DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{self as simd, Elementwise, Fusion, Isa, Norm};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::training::{NormChain, NormChainParams};

use crate::flex::calls::{Calls, Named, named, numbers, room};
use crate::flex::row::fused_row;
use crate::flex::weight_only::own_bytes;

/// Implementations of `norm-chain`.
pub const ROWS: [Row<NormChain>; 3] = [CONSERVATIVE, AGGRESSIVE, UNFUSED];

/// Matrices that are read and written where each operation is a pass of its own: three, two, two and three.
const MOVED: usize = 10;

const CONSERVATIVE: Row<NormChain> = fused_row::<NormChain>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, one pass, every number with the bits of the unfused chain",
    &[DType::F32],
    |name, setting, params, inputs| Ok(Box::new(fused(name, setting, params, inputs, Fusion::Conservative))),
)
.catalogue(&["TR4"]);

const AGGRESSIVE: Row<NormChain> = fused_row::<NormChain>(
    "fused-aggressive",
    "hand-written: AVX-512, AVX2 or portable, one pass, factors multiplied in another order and one division for gate and norm",
    &[DType::F32],
    |name, setting, params, inputs| Ok(Box::new(fused(name, setting, params, inputs, Fusion::Aggressive))),
)
.catalogue(&["TR4"]);

const UNFUSED: Row<NormChain> = fused_row::<NormChain>(
    "unfused",
    "hand-written: AVX-512, AVX2 or portable, a pass for the sum, the norm, the gate and the product each",
    &[DType::F32],
    unfused,
);

fn fused(
    name: &'static str,
    setting: &Setting,
    params: &NormChainParams,
    inputs: &Inputs,
    fusion: Fusion,
) -> impl Subject + use<> {
    let NormChainParams { rows, width } = *params;
    let inputs = named(inputs, ["input", "residual", "gate", "gain"]);
    let kernel = move |inputs: &[Named; 4], to: [&mut [f32]; 2]| {
        let [input, residual, gate, gain] = numbers(inputs);
        let (epsilon, isa) = (EPSILON, Isa::detect());
        simd::norm_chain(&simd::NormChain { width, input, residual, gate, gain, epsilon, isa }, fusion, to)
    };
    Calls::of_slices(name, setting, inputs, [vec![rows, width], vec![rows, width]], kernel)
}

fn unfused(
    name: &'static str,
    setting: &Setting,
    params: &NormChainParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let NormChainParams { rows, width } = *params;
    let between = || [vec![0.0_f32; rows * width], vec![0.0_f32; rows * width]];
    let copy = || Ok((named(inputs, ["input", "residual", "gate", "gain"]), between()));
    let kernel = move |(inputs, [normed, opened]): &mut ([Named; 4], [Vec<f32>; 2]), outputs: &mut [Array; 2]| {
        let [input, residual, gate, gain] = numbers(inputs);
        let [sum, out] = outputs.each_mut().map(|array| array.of_mut::<f32>());
        let (epsilon, isa) = (EPSILON, Isa::detect());
        simd::elementwise(isa, Elementwise::Sum([input, residual]), sum)?;
        simd::rms_norm(&Norm { width, input: sum, gain, epsilon, isa }, normed)?;
        simd::elementwise(isa, Elementwise::Silu(gate), opened)?;
        simd::elementwise(isa, Elementwise::Product([&*normed, &*opened]), out)
    };
    let outputs = [(); 2].map(|()| room::<f32>(vec![rows, width]));
    let bytes = own_bytes((MOVED * rows + 1) * width * size_of::<f32>());
    Ok(Box::new(Calls::new(name, setting, copy, &outputs, kernel)?.with_metrics(vec![bytes])))
}
