//! Matrix products by weights whose codes choose from a table: floats of eight and of four bits, and NF4.
//!
//! As in [`super::int4`], each format has a plain loop, and a product that makes numbers of its columns first.

use benchbook_core::{DType, Inputs, Reference, Result, Row, Setting, Subject};
use benchbook_formats::{Axis, BLOCK, E2M1, E4M3FN, Mx, NF4, Order, Rounding, ScaleRule, Scaled, packed};
use benchbook_simd::{Isa, Scales, TableWeights, matmul_table, matmul_table_loop};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use crate::flex::engine::plain_engine;
use crate::flex::row::fused_row;
use crate::flex::weight_only::{self, along_k, right, short};

/// Two implementations for each format.
pub const ROWS: [Row<Matmul>; 6] = [E4M3_LOOP, E4M3_DEQUANT, MXFP4_LOOP, MXFP4_DEQUANT, NF4_LOOP, NF4_DEQUANT];

const E4M3_LOOP: Row<Matmul> = looped(
    "e4m3-loop",
    "a plain loop over weights of 8 bits (e4m3fn of OCP OFP8, an f32 scale for each column, rounded to nearest even: arXiv \
     2209.05433), looked up one by one",
    |name, setting, params, inputs| prepare(name, setting, params, inputs, e4m3, matmul_table_loop),
    |params, inputs, seed| answer(params, inputs, seed, e4m3),
);

const E4M3_DEQUANT: Row<Matmul> = dequant(
    "e4m3-dequant",
    "hand-written: weights of 8 bits (e4m3fn of OCP OFP8, an f32 scale for each column, rounded to nearest even: arXiv \
     2209.05433), looked up by panels and multiplied in f32",
    |name, setting, params, inputs| prepare(name, setting, params, inputs, e4m3, by_panels),
    |params, inputs, seed| answer(params, inputs, seed, e4m3),
);

const MXFP4_LOOP: Row<Matmul> = looped(
    "mxfp4-rceil-loop",
    "a plain loop over weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales rounded up: OCP Microscaling 1.0, cuBLAS), \
     looked up one by one",
    |name, setting, params, inputs| prepare(name, setting, params, inputs, mxfp4, matmul_table_loop),
    |params, inputs, seed| answer(params, inputs, seed, mxfp4),
);

const MXFP4_DEQUANT: Row<Matmul> = dequant(
    "mxfp4-rceil-dequant",
    "hand-written: weights of 4 bits (e2m1 in blocks of 32 along k, E8M0 scales rounded up: OCP Microscaling 1.0, cuBLAS), \
     looked up by panels and multiplied in f32",
    |name, setting, params, inputs| prepare(name, setting, params, inputs, mxfp4, by_panels),
    |params, inputs, seed| answer(params, inputs, seed, mxfp4),
);

const NF4_LOOP: Row<Matmul> = looped(
    "nf4-g64-loop",
    "a plain loop over weights of 4 bits (NF4, groups of 64 along k, f32 scales: arXiv 2305.14314), looked up one by one",
    |name, setting, params, inputs| prepare(name, setting, params, inputs, nf4, matmul_table_loop),
    |params, inputs, seed| answer(params, inputs, seed, nf4),
);

const NF4_DEQUANT: Row<Matmul> = dequant(
    "nf4-g64-dequant",
    "hand-written: weights of 4 bits (NF4, groups of 64 along k, f32 scales: arXiv 2305.14314), looked up by panels and \
     multiplied in f32",
    |name, setting, params, inputs| prepare(name, setting, params, inputs, nf4, by_panels),
    |params, inputs, seed| answer(params, inputs, seed, nf4),
);

type Prepare = fn(&'static str, &Setting, &MatmulParams, &Inputs) -> Result<Box<dyn Subject>>;
type Answer = fn(&MatmulParams, &Inputs, u64) -> Option<Reference>;

const fn looped(name: &'static str, about: &'static str, prepare: Prepare, answer: Answer) -> Row<Matmul> {
    let row = Row::<Matmul>::new(name, about, &["flex"], &[DType::F32], |_| plain_engine(), prepare);
    row.only(short).approximating(answer)
}

const fn dequant(name: &'static str, about: &'static str, prepare: Prepare, answer: Answer) -> Row<Matmul> {
    fused_row::<Matmul>(name, about, &[DType::F32], prepare).approximating(answer)
}

/// Weights in a format.
struct Weights {
    codes: Vec<u8>,
    scales: Held,
    values: &'static [f32],
    group: usize,
    bytes: usize,
    /// What they stand for.
    numbers: Vec<f32>,
}

/// See [`Scales`].
#[derive(Clone)]
enum Held {
    Numbers(Vec<f32>),
    Powers(Vec<u8>),
}

static E4M3_VALUES: [f32; 256] = E4M3FN.values();
static E2M1_VALUES: [f32; 16] = E2M1.values();

fn e4m3(params: &MatmulParams, inputs: &Inputs) -> Weights {
    let (format, groups) = (Scaled { element: E4M3FN }, along_k(params, params.k));
    let found = right(format.quantised(inputs.numbers("b"), &groups, Rounding::NearestEven));
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    let (codes, scales) = (found.codes, Held::Numbers(found.scales));
    Weights { codes, scales, values: &E4M3_VALUES, group: params.k, bytes, numbers }
}

fn mxfp4(params: &MatmulParams, inputs: &Inputs) -> Weights {
    let format = Mx { element: E2M1, rule: ScaleRule::Rceil, rounding: Rounding::NearestEven };
    let found = right(format.quantised(inputs.numbers("b"), [params.k, params.n], Axis::Rows));
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    let codes = packed(&found.codes, params.n, E2M1.bits(), Order::LowFirst);
    Weights { codes, scales: Held::Powers(found.scales), values: &E2M1_VALUES, group: BLOCK, bytes, numbers }
}

fn nf4(params: &MatmulParams, inputs: &Inputs) -> Weights {
    const GROUP: usize = 64;
    let found = right(NF4.quantised(inputs.numbers("b"), &along_k(params, GROUP)));
    let (bytes, numbers) = (found.bytes(), found.dequantised());
    let codes = packed(&found.codes, params.n, NF4.bits, Order::LowFirst);
    Weights { codes, scales: Held::Numbers(found.scales), values: NF4.values, group: GROUP, bytes, numbers }
}

/// What puts the right factor into a format.
type Format = fn(&MatmulParams, &Inputs) -> Weights;

/// A product of this size: the left factor, the weights, and room for the result.
type Kernel = fn([usize; 3], &[f32], &TableWeights, &mut [f32]) -> benchbook_simd::Result<()>;

fn by_panels(size: [usize; 3], left: &[f32], right: &TableWeights, out: &mut [f32]) -> benchbook_simd::Result<()> {
    matmul_table(Isa::detect(), size, left, right, out)
}

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    format: Format,
    kernel: Kernel,
) -> Result<Box<dyn Subject>> {
    let Weights { codes, scales, values, group, bytes, .. } = format(params, inputs);
    let call = move |size, left: &[f32], (codes, scales): &(Vec<u8>, Held), out: &mut [f32]| {
        let scales = match scales {
            Held::Numbers(numbers) => Scales::Numbers(numbers),
            Held::Powers(powers) => Scales::Powers(powers),
        };
        kernel(size, left, &TableWeights { codes, values, scales, group }, out)
    };
    Ok(weight_only::product(name, setting, params, inputs, ((codes, scales), bytes), call))
}

/// The product by the weights that the codes stand for.
fn answer(params: &MatmulParams, inputs: &Inputs, seed: u64, format: Format) -> Option<Reference> {
    weight_only::answer(params, inputs, seed, &format(params, inputs).numbers)
}
