//! Matrix products by weights whose codes choose from a table: floats of eight, six and four bits, and NF4.
//!
//! As in [`super::int4`], each format has a plain loop, and a product that makes numbers of its columns first.

use benchbook_core::{DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{Isa, TableWeights, matmul_table, matmul_table_loop};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use crate::flex::coded::{E4m3, Format, Held, Mxfp4, Mxfp6E2m3Floor, Nf4};
use crate::flex::row::{fused_row, plain_row};
use crate::flex::weight_only::{self, answer, short};

/// Two implementations for each format.
pub const ROWS: [Row<Matmul>; 8] =
    [E4M3_LOOP, E4M3_DEQUANT, MXFP6_LOOP, MXFP6_DEQUANT, MXFP4_LOOP, MXFP4_DEQUANT, NF4_LOOP, NF4_DEQUANT];

const E4M3_LOOP: Row<Matmul> = looped::<E4m3>(
    "e4m3-loop",
    "a plain loop over weights of 8 bits (e4m3fn of OCP OFP8, an f32 scale for each column, rounded to nearest even: arXiv \
     2209.05433), looked up one by one",
);

const E4M3_DEQUANT: Row<Matmul> = dequant::<E4m3>(
    "e4m3-dequant",
    "hand-written: weights of 8 bits (e4m3fn of OCP OFP8, an f32 scale for each column, rounded to nearest even: arXiv \
     2209.05433), looked up by panels and multiplied in f32",
);

const MXFP6_LOOP: Row<Matmul> = looped::<Mxfp6E2m3Floor>(
    "mxfp6-e2m3-floor-loop",
    "a plain loop over weights of 6 bits (e2m3 in blocks of 32 along k, E8M0 scales rounded down: OCP Microscaling 1.0; four codes \
     in three bytes, the first in the lowest bits), looked up one by one",
);

const MXFP6_DEQUANT: Row<Matmul> = dequant::<Mxfp6E2m3Floor>(
    "mxfp6-e2m3-floor-dequant",
    "hand-written: weights of 6 bits (e2m3 in blocks of 32 along k, E8M0 scales rounded down: OCP Microscaling 1.0; four codes in \
     three bytes, the first in the lowest bits), looked up by panels and multiplied in f32",
);

const MXFP4_LOOP: Row<Matmul> = looped::<Mxfp4>(
    "mxfp4-rceil-loop",
    "a plain loop over weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales rounded up: OCP Microscaling 1.0, cuBLAS), \
     looked up one by one",
);

const MXFP4_DEQUANT: Row<Matmul> = dequant::<Mxfp4>(
    "mxfp4-rceil-dequant",
    "hand-written: weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales rounded up: OCP Microscaling 1.0, cuBLAS), \
     looked up by panels and multiplied in f32",
);

const NF4_LOOP: Row<Matmul> = looped::<Nf4>(
    "nf4-g64-loop",
    "a plain loop over weights of 4 bits (NF4, groups of 64 along k, f32 scales: arXiv 2305.14314), looked up one by one",
);

const NF4_DEQUANT: Row<Matmul> = dequant::<Nf4>(
    "nf4-g64-dequant",
    "hand-written: weights of 4 bits (NF4, groups of 64 along k, f32 scales: arXiv 2305.14314), looked up by panels and \
     multiplied in f32",
);

const fn looped<F: Format>(name: &'static str, about: &'static str) -> Row<Matmul> {
    let row = plain_row::<Matmul>(name, about, &[DType::F32], |name, setting, params, inputs| {
        prepare::<F>(name, setting, params, inputs, matmul_table_loop)
    });
    row.only(short).approximating(answer::<F>)
}

const fn dequant<F: Format>(name: &'static str, about: &'static str) -> Row<Matmul> {
    let row = fused_row::<Matmul>(name, about, &[DType::F32], |name, setting, params, inputs| {
        prepare::<F>(name, setting, params, inputs, |size, left, right, out| {
            matmul_table(Isa::detect(), size, left, right, out)
        })
    });
    row.approximating(answer::<F>)
}

/// A product of this size: the left factor, the weights, and room for the result.
type Kernel = fn([usize; 3], &[f32], &TableWeights, &mut [f32]) -> benchbook_simd::Result<()>;

fn prepare<F: Format>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    kernel: Kernel,
) -> Result<Box<dyn Subject>> {
    let coded = F::coded(params, inputs);
    let values: Vec<f32> = (0..1 << coded.code.bits()).map(|code| coded.code.number(code)).collect();
    let (codes, group) = (coded.without_gaps(), coded.group);
    let call = move |size, left: &[f32], (codes, scales): &(Vec<u8>, Held), out: &mut [f32]| {
        kernel(size, left, &TableWeights { codes, values: &values, scales: scales.lent(), group }, out)
    };
    Ok(weight_only::product(name, setting, params, inputs, ((codes, coded.scales), coded.bytes), call))
}
