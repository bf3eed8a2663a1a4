//! Matrix products by integers of four bits: the right factor is quantised and packed before anything is timed.

use benchbook_core::{DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{Int4Weights, Isa, matmul_int4, matmul_int4_loop};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use crate::flex::calls::failed;
use crate::flex::coded::{Format, Held, Int4G32};
use crate::flex::row::{fused_row, plain_row};
use crate::flex::weight_only::{self, answer, short};

/// One weight after another, and each anew for every row of the result.
pub const LOOP: Row<Matmul> = plain_row::<Matmul>(
    "int4-g32-loop",
    "a plain loop over weights of 4 bits (u4lo, symmetric, groups of 32 along k, f32 scales, rounded to nearest: arXiv \
     2210.17323), unpacked one by one",
    &[DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, matmul_int4_loop),
)
.only(short)
.approximating(answer::<Int4G32>);

/// A task makes numbers of its columns, once for all rows, and multiplies those as `tiled` does.
pub const DEQUANT: Row<Matmul> = fused_row::<Matmul>(
    "int4-g32-dequant",
    "hand-written: AVX-512, AVX2 or portable, weights of 4 bits (u4lo, symmetric, groups of 32 along k, f32 scales, rounded to \
     nearest: arXiv 2210.17323), unpacked by panels and multiplied in f32",
    &[DType::F32],
    |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, |size, left, right, out| {
            matmul_int4(Isa::detect(), size, left, right, out)
        })
    },
)
.approximating(answer::<Int4G32>);

/// A product of this size: the left factor, the weights, and room for the result.
type Kernel = fn([usize; 3], &[f32], &Int4Weights, &mut [f32]) -> benchbook_simd::Result<()>;

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    kernel: Kernel,
) -> Result<Box<dyn Subject>> {
    let coded = Int4G32::coded(params, inputs);
    let (codes, group, bytes) = (coded.without_gaps(), coded.group, coded.bytes);
    let Held::Numbers(scales) = coded.scales else {
        return Err(failed(name, &setting.device, "the scales of its weights are no numbers"));
    };
    let call = move |size, left: &[f32], (codes, scales): &(Vec<u8>, Vec<f32>), out: &mut [f32]| {
        kernel(size, left, &Int4Weights { codes, scales, group }, out)
    };
    Ok(weight_only::product(name, setting, params, inputs, ((codes, scales), bytes), call))
}
