//! The causal convolution by channels: as shifted tensors, and hand-written.

use benchbook_core::{DType, Inputs, Result, Row};
use benchbook_simd::{self as simd, ConvSize, Isa};
use benchbook_workloads::mixers::{CausalConv, CausalConvParams};
use burn::tensor::Tensor;

use super::{Tensors, named, numbers, silu};
use crate::flex::calls::{Calls, Named};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;
use crate::flex::tensor::Target;

/// Implementations of `causal-conv`.
pub const ROWS: [Row<CausalConv>; 2] = [SHIFTS, FUSED];

pub(super) const NAMES: [&str; 4] = ["x", "weight", "bias", "start"];

/// As many shifted copies as the width has steps.
pub const SHIFTS: Row<CausalConv> = burn_row::<CausalConv>(
    "shifts",
    "sums of shifted tensors, one for each step of the width",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, upload, by_shifts),
)
.catalogue(&["SM1"]);

fn upload(on: &Target, params: &CausalConvParams, inputs: &Inputs) -> Result<(Tensors<3, 4>, CausalConvParams)> {
    Ok((Tensors::upload(on, inputs, NAMES), params.clone()))
}

pub(super) fn by_shifts((inputs, params): &(Tensors<3, 4>, CausalConvParams)) -> Result<[Tensor<3>; 2]> {
    let CausalConvParams { seq, width, silu: gated, .. } = *params;
    let [x, weight, bias, start] = inputs.all.clone();
    let all = Tensor::cat(vec![start, x], 1);
    let mut sum = bias;
    for tap in 0..width {
        sum = all.clone().narrow(1, tap, seq) * weight.clone().narrow(1, tap, 1) + sum;
    }
    let out = if gated { silu(sum) } else { sum };
    Ok([out, all.narrow(1, seq, width - 1)])
}

/// Sums of four steps stay in a register.
pub const FUSED: Row<CausalConv> = fused_row::<CausalConv>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, channels as lanes, each number read once for four steps of the width",
    &[DType::F32],
    |name, setting, params, inputs| {
        let CausalConvParams { batch, seq, channels, width, silu } = *params;
        let size = ConvSize { batch, seq, channels, width };
        let shapes = [vec![batch, seq, channels], vec![batch, width - 1, channels]];
        let kernel = move |inputs: &[Named; 4], [out, end]: [&mut [f32]; 2]| {
            let [x, weight, bias, start] = numbers(inputs);
            simd::causal_conv(&simd::CausalConv { size, x, weight, bias, start, silu, isa: Isa::detect() }, out, end)
        };
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES), shapes, kernel)))
    },
)
.catalogue(&["SM1"]);
