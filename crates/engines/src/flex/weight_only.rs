//! What products by other weights than the given ones share: what can be written, how many copies there are, what they are checked
//! against.
//!
//! Such a row solves another problem than the exact one, so it is checked against the product by the weights that its codes stand
//! for, and its distance from the exact product is the metric `relative_error`. Weights are packed once, as those of a model
//! are: of the inputs, `a` can be overwritten and `b` cannot. What it reads and computes is its own work too, by which the query
//! `roofline` holds it to the roofs.

use benchbook_core::{Array, DType, Inputs, Metric, Problem, Reference, Result, Setting, Subject, Support};
use benchbook_workloads::matmul::{Matmul, MatmulParams};
use burn::tensor::bf16;

use crate::flex::calls::{Calls, Named, room};
use crate::flex::coded::Format;

/// Multiply-adds of a plain loop at most: what others do in milliseconds would take it seconds.
const MOST: usize = 1 << 26;

/// Keeps a plain loop from what would take it long.
pub fn short(_device: &str, _dtype: DType, params: &MatmulParams) -> Support {
    let products = params.m * params.n * params.k;
    if products <= MOST {
        return Support::Yes;
    }
    Support::No(format!("{products} multiply-adds one by one take too long, {MOST} are the most"))
}

/// Calls a product `[m, k, n]` of the left factor and of weights that take so many bytes.
pub fn product<W: Clone + 'static>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    weights: (W, usize),
    kernel: impl Fn([usize; 3], &[f32], &W, &mut [f32]) -> benchbook_simd::Result<()> + 'static,
) -> Box<dyn Subject> {
    product_with(name, setting, params, inputs, weights, Vec::new(), kernel)
}

/// Bytes of the weights as a call reads them.
pub fn weight_bytes(bytes: usize) -> Metric {
    Metric::modelled("weight_bytes", bytes as f64, "bytes")
}

/// Operations that a call makes, where these are not those of its case.
pub fn own_flops(flops: f64) -> Metric {
    Metric::modelled("own_flops", flops, "count")
}

/// Bytes that a call reads and writes, where these are not those of its case.
pub fn own_bytes(bytes: usize) -> Metric {
    Metric::modelled("own_bytes", bytes as f64, "bytes")
}

/// The same, with what else there is to say of the weights.
pub fn product_with<W: Clone + 'static>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    (weights, bytes): (W, usize),
    more: Vec<Metric>,
    kernel: impl Fn([usize; 3], &[f32], &W, &mut [f32]) -> benchbook_simd::Result<()> + 'static,
) -> Box<dyn Subject> {
    let MatmulParams { m, n, k } = *params;
    let left = inputs.get("a").clone();
    let read = left.bytes().len() + bytes;
    let written = m * n * size_of::<f32>();
    let metrics = [weight_bytes(bytes), own_bytes(read + written)].into_iter().chain(more).collect();
    let setting = with_copies(setting, inputs, read);
    let call =
        move |(left, weights): &(Named, W), [out]: [&mut [f32]; 1]| kernel([m, k, n], left.1.of::<f32>(), weights, out);
    let subject = Calls::of_slices(name, &setting, (Named("a", left), weights), [vec![m, n]], call);
    Box::new(subject.with_metrics(metrics))
}

/// Calls a product of a left factor in bf16, whose result is in bf16 too: a call widens the one and rounds the other.
///
/// # Errors
/// There is no room for a copy.
pub fn product_in_bf16<W: Clone + 'static>(
    name: &'static str,
    setting: &Setting,
    params: &MatmulParams,
    inputs: &Inputs,
    (weights, bytes): (W, usize),
    kernel: impl Fn([usize; 3], &[f32], &W, &mut [f32]) -> benchbook_simd::Result<()> + 'static,
) -> Result<Box<dyn Subject>> {
    let MatmulParams { m, n, k } = *params;
    let numbers: Vec<bf16> = inputs.numbers("a").iter().map(|number| bf16::from_f32(*number)).collect();
    let left = Named("a", Array::new(vec![m, k], &numbers));
    let read = left.1.bytes().len() + bytes;
    let metrics = vec![weight_bytes(bytes), own_bytes(read + m * n * size_of::<bf16>())];
    let setting = with_copies(setting, inputs, read);
    // Beside the factor its weights, and room for it and for the result in f32.
    let copy = || Ok((left.clone(), (weights.clone(), vec![0.0; m * k], vec![0.0; m * n])));
    let call = move |(left, (weights, wide, sums)): &mut (Named, (W, Vec<f32>, Vec<f32>)), [out]: &mut [Array; 1]| {
        wide.iter_mut().zip(left.1.of::<bf16>()).for_each(|(to, number)| *to = number.to_f32());
        kernel([m, k, n], wide, weights, sums)?;
        out.of_mut::<bf16>().iter_mut().zip(&sums[..]).for_each(|(to, sum)| *to = bf16::from_f32(*sum));
        Ok(())
    };
    let subject = Calls::new(name, &setting, copy, &[room::<bf16>(vec![m, n])], call)?;
    Ok(Box::new(subject.with_metrics(metrics)))
}

/// The same setting with as many copies of so many bytes as fill the memory of those in `f32`, by which copies are counted: a cold
/// call would find fewer in a cache.
pub fn with_copies(setting: &Setting, inputs: &Inputs, bytes: usize) -> Setting {
    let as_many = inputs.bytes(DType::F32.bytes()).div_ceil(bytes);
    let copies = if setting.copies > 1 { setting.copies * as_many } else { 1 };
    Setting { copies, ..setting.clone() }
}

/// The product by the weights that the codes of a format stand for.
pub fn answer<F: Format>(params: &MatmulParams, inputs: &Inputs, seed: u64) -> Option<Reference> {
    by_weights(params, inputs, seed, &F::coded(params, inputs).numbers)
}

/// The product by these weights in the place of the right factor.
pub fn by_weights(params: &MatmulParams, inputs: &Inputs, seed: u64, weights: &[f32]) -> Option<Reference> {
    let weights = Array::new(vec![params.k, params.n], weights);
    let inputs = Inputs::from([("a", inputs.get("a").clone()), ("b", weights)]);
    Some(Matmul::reference(params, &inputs, seed))
}

/// What quantising the right factor has given: it has the shape that the parameters say.
pub fn right<T>(quantised: benchbook_formats::Result<T>) -> T {
    quantised.unwrap_or_else(|error| panic!("the right factor of a product: {error}"))
}
