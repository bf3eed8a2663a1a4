//! The state-space duality of Mamba-2: step by step, in chunks of tensors, and hand-written.

use benchbook_core::{DType, Inputs, Result, Row, Setting, Subject};
use benchbook_simd::{self as simd, CHUNK, Isa, SsdSize};
use benchbook_workloads::mixers::{Ssd, SsdParams};
use burn::tensor::Tensor;

use super::{CHUNKS, Tensors, few_steps, named, numbers, softplus, step};
use crate::flex::calls::{Calls, Named};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;
use crate::flex::tensor::Target;

/// Implementations of `state-space-duality`.
pub const ROWS: [Row<Ssd>; 3] = [LOOP, CHUNKED, FUSED];

pub(super) const NAMES: [&str; 8] = ["x", "delta", "b", "c", "delta_bias", "a_log", "d", "start"];

/// A few operations on tensors for each step.
pub const LOOP: Row<Ssd> = burn_row::<Ssd>(
    "loop",
    "the recurrence, a loop over steps with a few tensor operations each (arXiv 2405.21060, section 2.1)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, |on, _, inputs| Ok(Tensors::upload(on, inputs, NAMES)), by_loop)
    },
)
.only(|_, _, params: &SsdParams| few_steps(params.seq))
.catalogue(&["SM1"]);

/// Inputs with Δ made, all of them by heads.
struct Prepared {
    /// log of what each step leaves, `[batch, seq, heads, 1]`
    logs: Tensor<4>,
    /// Δ x, `[batch, seq, heads, head_dim]`
    added: Tensor<4>,
    /// `[batch, seq, heads, state]`
    b: Tensor<4>,
    /// `[batch, seq, heads, state]`
    c: Tensor<4>,
    /// D x
    skip: Tensor<4>,
    /// `[batch, heads, head_dim, state]`
    start: Tensor<4>,
}

fn prepared(inputs: &Tensors<4, 8>) -> Prepared {
    let [x, delta, b, c, delta_bias, a_log, d, start] = inputs.all.clone();
    let ([batch, seq, heads, _], [_, _, groups, state]) = (x.dims(), b.dims());
    let delta = softplus(delta + delta_bias).reshape([batch, seq, heads, 1]);
    let by_heads = |tensor: Tensor<4>| {
        let wide = tensor.reshape([batch, seq, groups, 1, state]).repeat_dim(3, heads / groups);
        wide.reshape([batch, seq, heads, state])
    };
    let of_head = |tensor: Tensor<4>| tensor.reshape([1, 1, heads, 1]);
    let logs = delta.clone() * of_head(a_log).exp().neg();
    Prepared { logs, added: delta * x.clone(), b: by_heads(b), c: by_heads(c), skip: of_head(d) * x, start }
}

fn by_loop(inputs: &Tensors<4, 8>) -> Result<[Tensor<4>; 2]> {
    let Prepared { logs, added, b, c, skip, start } = prepared(inputs);
    let [_, seq, _, _] = added.dims();
    let decays = logs.exp();
    // Rows `[batch, heads, 1, ..]` and columns `[batch, heads, .., 1]`.
    let row = |tensor: &Tensor<4>, at: usize| step(tensor, at).swap_dims(1, 2);
    let (mut h, mut sums) = (start, Vec::with_capacity(seq));
    for at in 0..seq {
        h = row(&decays, at) * h + row(&added, at).swap_dims(2, 3) * row(&b, at);
        sums.push((h.clone() * row(&c, at)).sum_dim(3).permute([0, 3, 1, 2]));
    }
    Ok([Tensor::cat(sums, 1) + skip, h])
}

/// Products of matrices within a chunk, and the state from one to the next; decays by sums of logarithms that are zero above the
/// diagonal, since differences of sums would lose their digits.
pub const CHUNKED: Row<Ssd> = burn_row::<Ssd>(
    "chunked",
    "chunks of 64 steps as products of matrices, the state from one to the next (arXiv 2405.21060, listing 1)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        let upload =
            |on: &Target, _: &SsdParams, inputs: &Inputs| Ok((Tensors::upload(on, inputs, NAMES), triangles(on)));
        let call = |(inputs, triangles): &(Tensors<4, 8>, [Tensor<4>; 2])| by_chunks(inputs, triangles);
        prepare(name, setting, params, inputs, upload, call)
    },
)
.catalogue(&["SM1"]);

/// A lower triangle of ones with its diagonal, and without, each `[1, 1, CHUNK, CHUNK]`.
pub(super) fn triangles(on: &Target) -> [Tensor<4>; 2] {
    [true, false].map(|whole| {
        let one = move |index: usize| {
            let (row, column) = (index / CHUNK, index % CHUNK);
            if row > column || whole && row == column { 1.0 } else { 0.0 }
        };
        on.upload_numbers((0..CHUNK * CHUNK).map(one), [1, 1, CHUNK, CHUNK])
    })
}

pub(super) fn by_chunks(inputs: &Tensors<4, 8>, [lower, strict]: &[Tensor<4>; 2]) -> Result<[Tensor<4>; 2]> {
    let Prepared { logs, added, b, c, skip, start } = prepared(inputs);
    let [_, seq, _, _] = added.dims();
    let (mut h, mut sums) = (start, Vec::with_capacity(seq.div_ceil(CHUNK)));
    for first in (0..seq).step_by(CHUNK) {
        let steps = CHUNK.min(seq - first);
        // `[batch, heads, steps, ..]`
        let part = |tensor: &Tensor<4>| tensor.clone().narrow(1, first, steps).swap_dims(1, 2);
        let [lower, strict] = [lower, strict].map(|all| all.clone().narrow(2, 0, steps).narrow(3, 0, steps));
        let (logs, added, b, c) = (part(&logs), part(&added), part(&b), part(&c));
        let since = (logs.clone().repeat_dim(3, steps) * strict).cumsum(2).exp() * lower;
        let left = logs.cumsum(2).exp();
        let within = (c.clone().matmul(b.clone().swap_dims(2, 3)) * since.clone()).matmul(added.clone());
        let before = c.matmul(h.clone().swap_dims(2, 3)) * left.clone();
        sums.push((within + before).swap_dims(1, 2));
        let until = since.narrow(2, steps - 1, 1).swap_dims(2, 3);
        h = left.narrow(2, steps - 1, 1) * h + (added * until).swap_dims(2, 3).matmul(b);
    }
    Ok([Tensor::cat(sums, 1) + skip, h])
}

/// A chunk of a head stays in a first-level cache.
pub const FUSED: Row<Ssd> = fused_row::<Ssd>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, chunks of 64 steps in tiles of registers; a single step reads and writes the state once",
    &[DType::F32],
    |name, setting, params, inputs| by_slices(name, setting, params, inputs, CHUNK),
)
.tuned(&CHUNKS, |name, setting, params, inputs, knobs| by_slices(name, setting, params, inputs, knobs.size("chunk")))
.catalogue(&["SM1"]);

fn by_slices(
    name: &'static str,
    setting: &Setting,
    params: &SsdParams,
    inputs: &Inputs,
    chunk: usize,
) -> Result<Box<dyn Subject>> {
    let SsdParams { batch, seq, heads, head_dim, groups, state, .. } = *params;
    let size = SsdSize { batch, seq, heads, head_dim, groups, state };
    let shapes = [vec![batch, seq, heads, head_dim], vec![batch, heads, head_dim, state]];
    let kernel = move |inputs: &[Named; 8], [out, end]: [&mut [f32]; 2]| {
        let [x, delta, b, c, delta_bias, a_log, d, start] = numbers(inputs);
        let isa = Isa::detect();
        simd::ssd(&simd::Ssd { size, x, delta, delta_bias, a_log, b, c, d, start, chunk, isa }, out, end)
    };
    Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES), shapes, kernel)))
}
