//! Matrix products by a right factor of which weights are left out: single ones, blocks, two of every four, and channels.
//!
//! The share that is left out is in the name, in percent. Each is checked against the product by the weights that are kept.

use benchbook_core::{DType, Inputs, Metric, Reference, Result, Row, Setting, Subject};
use benchbook_models::compress::Scheme;
use benchbook_simd::{
    BlockWeights, CsrWeights, Isa, Pruned, TwoFourWeights, matmul_blocks, matmul_csr, matmul_kept, matmul_two_four,
};
use benchbook_workloads::matmul::{Matmul, MatmulParams};

use crate::flex::calls::failed;
use crate::flex::coded::Coded;
use crate::flex::pruning::{Blocks, Channels, Pruning, Singles, TwoOfFour};
use crate::flex::row::fused_row;
use crate::flex::weight_only::{by_weights, own_flops, product_with, right};

/// Implementations of every kind.
pub const ROWS: [Row<Matmul>; 12] = [
    csr::<50>("csr-50"),
    csr::<70>("csr-70"),
    csr::<90>("csr-90").catalogue(&["SP3"]),
    csr::<95>("csr-95"),
    blocks::<50>("blocks16-50"),
    blocks::<70>("blocks16-70"),
    blocks::<90>("blocks16-90"),
    TWO_OF_FOUR,
    TWO_OF_FOUR_INT8,
    channels::<25>("channels-25"),
    channels::<50>("channels-50").catalogue(&["SP1"]),
    channels::<75>("channels-75"),
];

const fn csr<const PERCENT: usize>(name: &'static str) -> Row<Matmul> {
    let about = "hand-written: the smallest weights left out one by one (arXiv 1506.02626), the others by column with their \
                 steps (CSR, 8 bytes each), rows side by side in registers";
    let row = fused_row::<Matmul>(name, about, &[DType::F32], by_singles::<PERCENT>);
    row.approximating(answer::<Singles<PERCENT>>).on_request()
}

const fn blocks<const PERCENT: usize>(name: &'static str) -> Row<Matmul> {
    let about = "hand-written: the smallest blocks of 16 columns left out (as arXiv 2306.16601 with 4), the others with their \
                 steps, columns side by side in registers";
    let row = fused_row::<Matmul>(name, about, &[DType::F32], by_blocks::<PERCENT>);
    row.approximating(answer::<Blocks<PERCENT>>).on_request()
}

const fn channels<const PERCENT: usize>(name: &'static str) -> Row<Matmul> {
    let about = "hand-written: the smallest channels left out (arXiv 1608.08710), the others gathered in the call and multiplied \
                 as `tiled` does";
    let row = fused_row::<Matmul>(name, about, &[DType::F32], by_channels::<PERCENT>);
    row.approximating(answer::<Channels<PERCENT>>).on_request()
}

const TWO_OF_FOUR: Row<Matmul> = fused_row::<Matmul>(
    "2of4",
    "hand-written: the two largest of four weights along k (2:4, arXiv 2104.08378), chosen in registers for few rows, made dense \
     for more",
    &[DType::F32],
    |name, setting, params, inputs| {
        let (numbers, size) = (TwoOfFour::pruned(params, inputs), [params.k, params.n]);
        by_two_of_four(name, setting, params, inputs, &Pruned::Numbers(&numbers, size))
    },
)
.catalogue(&["SP2"])
.approximating(answer::<TwoOfFour>)
.on_request();

const TWO_OF_FOUR_INT8: Row<Matmul> = fused_row::<Matmul>(
    "2of4-int8",
    "hand-written: the two largest of four weights along k (2:4, arXiv 2104.08378) as integers from -127 to 127 with an f32 \
     scale for each column, chosen and decoded in registers for few rows, made dense for more",
    &[DType::F32],
    |name, setting, params, inputs| {
        let whole = whole_two_of_four(params, inputs);
        by_two_of_four(name, setting, params, inputs, &Pruned::Integers(whole.weights()))
    },
)
.approximating(|params, inputs, seed| by_weights(params, inputs, seed, &whole_two_of_four(params, inputs).numbers))
.on_request();

fn answer<P: Pruning>(params: &MatmulParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    by_weights(params, inputs, seed, &P::pruned(params, inputs))
}

/// Two of every four weights as integers of eight bits.
fn whole_two_of_four(params: &MatmulParams, inputs: &Inputs) -> Coded {
    right(Scheme::Int8.coded(&TwoOfFour::pruned(params, inputs), [params.k, params.n]))
}

/// The share of weights that is left out, where so many are kept, and the operations that are left.
fn of_kept(params: &MatmulParams, kept: usize) -> Vec<Metric> {
    let sparsity = Metric::modelled("sparsity", 1.0 - kept as f64 / (params.k * params.n) as f64, "share");
    vec![sparsity, own_flops((2 * params.m * kept) as f64)]
}

fn by_singles<const PERCENT: usize>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let numbers = Singles::<PERCENT>::pruned(params, inputs);
    let weights = CsrWeights::new(&numbers, [params.k, params.n])
        .map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    let (bytes, more) = (weights.bytes(), of_kept(params, weights.kept()));
    let call = |[rows, ..]: [usize; 3], left: &[f32], weights: &CsrWeights, out: &mut [f32]| {
        matmul_csr(Isa::detect(), rows, left, weights, out)
    };
    Ok(product_with(name, setting, params, inputs, (weights, bytes), more, call))
}

fn by_blocks<const PERCENT: usize>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let numbers = Blocks::<PERCENT>::pruned(params, inputs);
    let weights = BlockWeights::new(&numbers, [params.k, params.n])
        .map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    let kept = numbers.iter().filter(|number| **number != 0.0).count();
    let (bytes, more) = (weights.bytes(), of_kept(params, kept));
    let call = |[rows, ..]: [usize; 3], left: &[f32], weights: &BlockWeights, out: &mut [f32]| {
        matmul_blocks(Isa::detect(), rows, left, weights, out)
    };
    Ok(product_with(name, setting, params, inputs, (weights, bytes), more, call))
}

fn by_two_of_four(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    pruned: &Pruned,
) -> Result<Box<dyn Subject>> {
    let weights = TwoFourWeights::new(pruned, Isa::detect())
        .map_err(|error| failed(name, &setting.device, &error.to_string()))?;
    // Of the last steps, where they are fewer than four, two are kept too.
    let kept = (params.k / 4 * 2 + (params.k % 4).min(2)) * params.n;
    let (bytes, more) = (weights.bytes(), of_kept(params, kept));
    let call = |[rows, ..]: [usize; 3], left: &[f32], weights: &TwoFourWeights, out: &mut [f32]| {
        matmul_two_four(rows, left, weights, out)
    };
    Ok(product_with(name, setting, params, inputs, (weights, bytes), more, call))
}

fn by_channels<const PERCENT: usize>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
) -> Result<Box<dyn Subject>> {
    let kept = Channels::<PERCENT>::kept(params, inputs);
    let rows = kept.iter().map(|channel| &inputs.numbers("b")[channel * params.n..][..params.n]);
    let weights: Vec<f32> = rows.flatten().copied().collect();
    let (bytes, more) = (size_of_val(&*weights), of_kept(params, weights.len()));
    let call = |size: [usize; 3], left: &[f32], (kept, weights): &(Vec<usize>, Vec<f32>), out: &mut [f32]| {
        matmul_kept(Isa::detect(), size, left, kept, weights, out)
    };
    Ok(product_with(name, setting, params, inputs, ((kept, weights), bytes), more, call))
}
