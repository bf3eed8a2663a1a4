//! Matrix products by weights of four bits: the right factor is quantised and packed before anything is timed.
//!
//! Both rows solve another problem than the exact one, so they are checked against the product by the weights that their codes
//! stand for, and their distance from the exact product is the metric `relative_error`. Weights are packed once, as those of
//! a model are: of the inputs, `a` can be overwritten and `b` cannot.

use benchbook_core::{DType, Inputs, Metric, Problem, Reference, Result, Row, Setting, Subject, Support};
use benchbook_simd::{Int4Weights, Isa, matmul_int4, matmul_int4_loop};
use benchbook_workloads::matmul::{Matmul, MatmulParams};
use benchbook_workloads::precision::Int4;

use crate::flex::engine::plain_engine;
use crate::flex::row::fused_row;
use crate::flex::slices::{Named, Slices};

/// Elements along k that share a scale.
const GROUP: usize = 32;

/// Multiply-adds of the loop at most: what others do in milliseconds would take it seconds.
const MOST: usize = 1 << 26;

/// One weight after another, and each anew for every row of the result.
pub const LOOP: Row<Matmul> = Row::<Matmul>::new(
    "int4-g32-loop",
    "a plain loop over weights of 4 bits (u4lo, symmetric, groups of 32 along k, f32 scales, rounded to nearest: arXiv \
     2210.17323), unpacked one by one",
    &["flex"],
    &[DType::F32],
    |_| plain_engine(),
    |name, setting, params, inputs| prepare(name, setting, params, inputs, matmul_int4_loop),
)
.only(short)
.approximating(answer);

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
.approximating(answer);

fn short(_device: &str, _dtype: DType, params: &MatmulParams) -> Support {
    let products = params.m * params.n * params.k;
    if products <= MOST {
        return Support::Yes;
    }
    Support::No(format!("{products} multiply-adds one by one take too long, {MOST} are the most"))
}

/// A product of this size: the left factor, the weights, and room for the result.
type Kernel = fn([usize; 3], &[f32], &Int4Weights, &mut [f32]) -> benchbook_simd::Result<()>;

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    kernel: Kernel,
) -> Result<Box<dyn Subject>> {
    let MatmulParams { m, n, k } = *params;
    let weights = Int4::quantised(inputs.get("b"), GROUP);
    let left = inputs.get("a").clone();
    let bytes = weights.bytes();
    // Copies are counted by inputs in f32: as many bytes of these are more copies, or a cold call would find them in a cache.
    let more = inputs.bytes(DType::F32.bytes()).div_ceil(left.bytes().len() + bytes);
    let copies = if setting.copies > 1 { setting.copies * more } else { 1 };
    let setting = Setting { copies, ..setting.clone() };
    let call = move |(left, weights): &(Named, Int4), [out]: [&mut [f32]; 1]| {
        let Int4 { codes, scales, group } = weights;
        let weights = Int4Weights { codes: codes.bytes(), scales: scales.of::<f32>(), group: *group };
        kernel([m, k, n], left.1.of::<f32>(), &weights, out)
    };
    let subject = Slices::new(name, &setting, (Named("a", left), weights), [vec![m, n]], call);
    Ok(Box::new(subject.with_metrics(vec![Metric::modelled("weight_bytes", bytes as f64, "bytes")])))
}

/// The product by the weights that the codes stand for.
fn answer(params: &MatmulParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    let weights = Int4::quantised(inputs.get("b"), GROUP).dequantised();
    let inputs = Inputs::from([("a", inputs.get("a").clone()), ("b", weights)]);
    Some(Matmul::reference(params, &inputs, seed))
}
