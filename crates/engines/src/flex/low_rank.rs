//! Matrix products by a right factor of low rank: two narrow products in the place of one.
//!
//! The factors ([`factors`]) are made before anything is timed. Each call is checked against the product by what they multiply to.

use benchbook_core::{DType, Inputs, Reference, Result, Row, Setting, Subject, Support};
use benchbook_models::compress::factors;
use benchbook_simd::{Isa, matmul_low_rank};
use benchbook_workloads::matmul::{Matmul, MatmulParams};
use rayon::prelude::*;

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

fn prepare(name: &'static str, setting: &Setting, params: &MatmulParams, inputs: &Inputs) -> Result<Box<dyn Subject>> {
    let (factors, rank) = (factors(inputs.numbers("b"), [params.k, params.n], rank(params)), rank(params));
    let bytes: usize = factors.iter().map(|factor| size_of_val(&**factor)).sum();
    let more = vec![own_flops((2 * params.m * rank * (params.k + params.n)) as f64)];
    let call = move |[m, k, n]: [usize; 3], left: &[f32], [first, second]: &[Vec<f32>; 2], out: &mut [f32]| {
        matmul_low_rank(Isa::detect(), [m, k, rank, n], left, [first, second], out)
    };
    Ok(product_with(name, setting, params, inputs, (factors, bytes), more, call))
}

/// The product by what the factors multiply to, in `f64`.
fn answer(params: &MatmulParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    let (n, rank) = (params.n, rank(params));
    let [first, second] = factors(inputs.numbers("b"), [params.k, n], rank);
    let row = |first: &[f32]| {
        let mut sums = vec![0.0; n];
        for (left, right) in first.iter().zip(second.chunks_exact(n)) {
            sums.iter_mut().zip(right).for_each(|(sum, right)| *sum += f64::from(*left) * f64::from(*right));
        }
        sums.into_iter().map(|sum| sum as f32)
    };
    let weights: Vec<f32> = first.par_chunks_exact(rank).flat_map_iter(row).collect();
    by_weights(params, inputs, seed, &weights)
}
