//! Matrix products by a right factor of which a share is zero: with its zeros, and without.

use benchbook_core::{DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{
    BitmapWeights, BlockWeights, CsrWeights, Isa, Product, matmul, matmul_bitmap, matmul_blocks, matmul_csr,
};
use benchbook_workloads::matmul::MatmulParams;
use benchbook_workloads::sparse_matmul::{SparseMatmul, SparseMatmulParams};

use crate::flex::calls::{Calls, Named, failed, named, numbers};
use crate::flex::row::fused_row;
use crate::flex::weight_only::{own_bytes, own_flops, product_with, weight_bytes};

/// Implementations of `sparse-matmul`.
pub const ROWS: [Row<SparseMatmul>; 4] = [DENSE, CSR, BITMAP, BLOCKS];

/// The baseline: what a share of zeros has to be faster than.
const DENSE: Row<SparseMatmul> = fused_row::<SparseMatmul>(
    "dense",
    "hand-written: all weights, zeros too, packed and tiled as `tiled` of matmul",
    &[DType::F32],
    |name, setting, params, inputs| {
        let size = [params.m, params.k, params.n];
        let call = move |inputs: &[Named; 2], [out]: [&mut [f32]; 1]| {
            let [left, right] = numbers(inputs);
            matmul(&Product { size, left, right, isa: Isa::detect() }, out)
        };
        let [m, k, n] = size;
        let subject = Calls::of_slices(name, setting, named(inputs, ["a", "b"]), [vec![m, n]], call);
        let (weights, all) = (k * n * size_of::<f32>(), (m * k + k * n + m * n) * size_of::<f32>());
        let own = vec![weight_bytes(weights), own_bytes(all), own_flops((2 * m * k * n) as f64)];
        Ok(Box::new(subject.with_metrics(own)))
    },
);

const CSR: Row<SparseMatmul> = fused_row::<SparseMatmul>(
    "csr",
    "hand-written: weights that are not zero by column with their steps (CSR, 8 bytes each), packed before timing, rows side by \
     side in registers",
    &[DType::F32],
    |name, setting, params, inputs| {
        let made = CsrWeights::new(inputs.numbers("b"), [params.k, params.n]);
        let held = |weights: &CsrWeights| [weights.bytes(), weights.kept()];
        without_zeros(name, setting, params, inputs, (made, held), matmul_csr)
    },
)
.catalogue(&["SP3"]);

const BITMAP: Row<SparseMatmul> = fused_row::<SparseMatmul>(
    "bitmap",
    "hand-written: weights that are not zero by column with a bit for each place (as arXiv 2502.12444), packed before timing, rows side \
     by side in registers",
    &[DType::F32],
    |name, setting, params, inputs| {
        let made = BitmapWeights::new(inputs.numbers("b"), [params.k, params.n]);
        let held = |weights: &BitmapWeights| [weights.bytes(), weights.kept()];
        without_zeros(name, setting, params, inputs, (made, held), matmul_bitmap)
    },
);

const BLOCKS: Row<SparseMatmul> = fused_row::<SparseMatmul>(
    "blocks16",
    "hand-written: blocks of 16 columns that are not all zero with their steps (as arXiv 2306.16601 with 4), packed before timing, \
     columns side by side in registers",
    &[DType::F32],
    |name, setting, params, inputs| {
        let made = BlockWeights::new(inputs.numbers("b"), [params.k, params.n]);
        let held = |weights: &BlockWeights| [weights.bytes(), weights.kept()];
        without_zeros(name, setting, params, inputs, (made, held), matmul_blocks)
    },
);

/// Multiplies rows by weights of a form.
type Multiply<W> = fn(Isa, usize, &[f32], &W, &mut [f32]) -> benchbook_simd::Result<()>;

/// A product by weights that were packed before, with how many bytes and weights they hold.
fn without_zeros<W: Clone + 'static>(
    name: &'static str,
    setting: &Setting,
    params: &SparseMatmulParams,
    inputs: &Inputs,
    (made, held): (benchbook_simd::Result<W>, impl Fn(&W) -> [usize; 2]),
    multiply: Multiply<W>,
) -> Result<Box<dyn Subject>> {
    let weights = made.map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    let ([bytes, kept], &SparseMatmulParams { m, n, k, .. }) = (held(&weights), params);
    let more = vec![own_flops((2 * m * kept) as f64)];
    let kernel = move |[rows, ..]: [usize; 3], left: &[f32], weights: &W, out: &mut [f32]| {
        multiply(Isa::detect(), rows, left, weights, out)
    };
    Ok(product_with(name, setting, &MatmulParams { m, n, k }, inputs, (weights, bytes), more, kernel))
}
