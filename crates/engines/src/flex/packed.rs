//! Matrix products by weights that are decoded in registers: those of few rows as they are multiplied. The left factor is in f32, or in
//! bf16, which a call widens.

use benchbook_core::{DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{Isa, PackedWeights, matmul_packed};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use crate::flex::calls::failed;
use crate::flex::coded::{
    E4m3, Format, Int4G32, Int8, Int8G32, Mxfp4, Mxfp4Ceil, Mxfp4Even, Mxfp4Floor, Mxfp6E2m3Floor, Mxfp6E3m2Floor,
    Mxfp8, Mxfp8Ceil, Mxfp8Even, Mxfp8Floor, Nf4,
};
use crate::flex::row::fused_row;
use crate::flex::weight_only::{self, answer};

/// An implementation for each format.
pub const ROWS: [Row<Matmul>; 15] = [
    INT8,
    INT8_G32,
    INT4_G32,
    E4M3,
    MXFP8,
    MXFP8_FLOOR,
    MXFP8_CEIL,
    MXFP8_EVEN,
    MXFP6_E2M3,
    MXFP6_E3M2,
    MXFP4,
    MXFP4_FLOOR,
    MXFP4_CEIL,
    MXFP4_EVEN,
    NF4,
];

const INT8: Row<Matmul> = fused::<Int8>(
    "int8-fused",
    "hand-written: weights of 8 bits (integers from -127 to 127, an f32 scale for each column, rounded to nearest), decoded in \
     registers and multiplied in f32",
)
.on_request();

const INT8_G32: Row<Matmul> = fused::<Int8G32>(
    "int8-g32-fused",
    "hand-written: weights of 8 bits (integers from -127 to 127, groups of 32 along k, f32 scales, rounded to nearest), decoded \
     in registers and multiplied in f32",
)
.on_request();

const INT4_G32: Row<Matmul> = fused::<Int4G32>(
    "int4-g32-fused",
    "hand-written: weights of 4 bits (symmetric, groups of 32 along k, f32 scales, rounded to nearest: arXiv 2210.17323), \
     decoded in registers and multiplied in f32",
)
.catalogue(&["PR3"]);

const E4M3: Row<Matmul> = fused::<E4m3>(
    "e4m3-fused",
    "hand-written: weights of 8 bits (e4m3fn of OCP OFP8, an f32 scale for each column, rounded to nearest even: arXiv \
     2209.05433), decoded in registers and multiplied in f32",
)
.on_request();

const MXFP8: Row<Matmul> = fused::<Mxfp8>(
    "mxfp8-rceil-fused",
    "hand-written: weights of 8 bits (e4m3fn in blocks of 32 along k, E8M0 scales rounded up: OCP Microscaling 1.0, cuBLAS), \
     decoded in registers and multiplied in f32",
)
.on_request();

const MXFP8_FLOOR: Row<Matmul> = fused::<Mxfp8Floor>(
    "mxfp8-floor-fused",
    "hand-written: weights of 8 bits (e4m3fn in blocks of 32 along k, E8M0 scales rounded down, so that the largest numbers are \
     clamped: OCP Microscaling 1.0, section 6.3), decoded in registers and multiplied in f32",
)
.on_request();

const MXFP8_CEIL: Row<Matmul> = fused::<Mxfp8Ceil>(
    "mxfp8-ceil-fused",
    "hand-written: weights of 8 bits (e4m3fn in blocks of 32 along k, E8M0 scales of the power of two above the largest number: \
     CEIL of torchao), decoded in registers and multiplied in f32",
)
.on_request();

const MXFP8_EVEN: Row<Matmul> = fused::<Mxfp8Even>(
    "mxfp8-even-fused",
    "hand-written: weights of 8 bits (e4m3fn in blocks of 32 along k, E8M0 scales of the largest number rounded to an element: \
     even_round of Quark), decoded in registers and multiplied in f32",
)
.on_request();

const MXFP6_E2M3: Row<Matmul> = fused::<Mxfp6E2m3Floor>(
    "mxfp6-e2m3-floor-fused",
    "hand-written: weights of 6 bits (e2m3 in blocks of 32 along k, E8M0 scales rounded down, so that the largest numbers are \
     clamped: OCP Microscaling 1.0, sections 5.3.2 and 6.3; four codes in three bytes), decoded in registers and multiplied in f32",
)
.catalogue(&["PR4"])
.on_request();

const MXFP6_E3M2: Row<Matmul> = fused::<Mxfp6E3m2Floor>(
    "mxfp6-e3m2-floor-fused",
    "hand-written: weights of 6 bits (e3m2 in blocks of 32 along k, E8M0 scales rounded down, so that the largest numbers are \
     clamped: OCP Microscaling 1.0, sections 5.3.2 and 6.3; four codes in three bytes), decoded in registers and multiplied in f32",
)
.on_request();

const MXFP4: Row<Matmul> = fused::<Mxfp4>(
    "mxfp4-rceil-fused",
    "hand-written: weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales rounded up: OCP Microscaling 1.0, cuBLAS), \
     decoded in registers and multiplied in f32",
)
.on_request();

const MXFP4_FLOOR: Row<Matmul> = fused::<Mxfp4Floor>(
    "mxfp4-floor-fused",
    "hand-written: weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales rounded down, so that the largest numbers are \
     clamped: OCP Microscaling 1.0, section 6.3), decoded in registers and multiplied in f32",
)
.on_request();

const MXFP4_CEIL: Row<Matmul> = fused::<Mxfp4Ceil>(
    "mxfp4-ceil-fused",
    "hand-written: weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales of the power of two above the largest number: \
     CEIL of torchao), decoded in registers and multiplied in f32",
)
.on_request();

const MXFP4_EVEN: Row<Matmul> = fused::<Mxfp4Even>(
    "mxfp4-even-fused",
    "hand-written: weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales of the largest number rounded to an element: \
     even_round of Quark), decoded in registers and multiplied in f32",
)
.on_request();

const NF4: Row<Matmul> = fused::<Nf4>(
    "nf4-g64-fused",
    "hand-written: weights of 4 bits (NF4, groups of 64 along k, f32 scales: arXiv 2305.14314), decoded in registers and \
     multiplied in f32",
)
.on_request();

const fn fused<F: Format>(name: &'static str, about: &'static str) -> Row<Matmul> {
    fused_row::<Matmul>(name, about, &[DType::F32, DType::Bf16], prepare::<F>).approximating(answer::<F>)
}

fn prepare<F: Format>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let coded = F::coded(params, inputs);
    let packed = PackedWeights::new(&coded.weights(), Isa::detect());
    let packed = packed.map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    let bytes = packed.bytes();
    let call = |[rows, ..]: [usize; 3], left: &[f32], weights: &PackedWeights, out: &mut [f32]| {
        matmul_packed(rows, left, weights, out)
    };
    if setting.dtype == DType::Bf16 {
        return weight_only::product_in_bf16(name, setting, params, inputs, (packed, bytes), call);
    }
    Ok(weight_only::product(name, setting, params, inputs, (packed, bytes), call))
}
