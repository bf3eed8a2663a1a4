//! Matrix products by a right factor of low rank: two narrow products in the place of one.
//!
//! The factors ([`Factors`]) are made before anything is timed. Each call is checked against the product by what they multiply to.

use benchbook_core::{DType, Inputs, Reference, Result, Row, Setting, Subject, Support};
use benchbook_models::compress::Factors;
use benchbook_simd::{Isa, matmul_low_rank};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use crate::flex::row::fused_row;
use crate::flex::weight_only::{by_weights, own_flops, product_with};

/// An eighth of the full rank.
pub const LOW_RANK: Row<Matmul> = fused_row::<Matmul>(
    "low-rank-8th",
    "the right factor by two of an eighth of its rank (randomised range finder, arXiv 0909.4061), each multiplied as `tiled` does",
    &[DType::F32],
    prepare,
)
.catalogue(&["SP4"])
.only(soon_factored)
.approximating(answer)
.on_request();

/// Multiply-adds of a product of the factors at most: making them takes some twenty times as many.
const MOST: usize = 1 << 33;

fn rank(params: &MatmulParams) -> usize {
    (params.k.min(params.n) / 8).max(1)
}

/// Keeps out what would take long to factor.
fn soon_factored(_device: &str, _dtype: DType, params: &MatmulParams) -> Support {
    let products = params.k * params.n * rank(params);
    if products <= MOST {
        return Support::Yes;
    }
    Support::No(format!("{products} multiply-adds to factor it by take too long, {MOST} are the most"))
}

fn factored(params: &MatmulParams, inputs: &Inputs) -> Factors {
    Factors::of(inputs.numbers("b"), [params.k, params.n], rank(params))
}

fn prepare(name: &'static str, setting: &Setting, params: &MatmulParams, inputs: &Inputs) -> Result<Box<dyn Subject>> {
    // Not shared: a cold call reads copies in memory of their own.
    let (factors, rank) = (factored(params, inputs), rank(params));
    let bytes = size_of_val(&*factors.first) + size_of_val(&*factors.second);
    let more = vec![own_flops((2 * params.m * rank * (params.k + params.n)) as f64)];
    let call = move |[m, k, n]: [usize; 3], left: &[f32], by: &Factors, out: &mut [f32]| {
        matmul_low_rank(Isa::detect(), [m, k, rank, n], left, [&by.first, &by.second], out)
    };
    Ok(product_with(name, setting, params, inputs, (factors, bytes), more, call))
}

/// The product by what the factors multiply to, in `f64`.
fn answer(params: &MatmulParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    by_weights(params, inputs, seed, &factored(params, inputs).product())
}
