//! The recurrences of RWKV-4, RWKV-6 and RWKV-7: step by step, and hand-written.

use benchbook_core::{DType, Result, Row};
use benchbook_simd::{self as simd, Isa, RwkvSize};
use benchbook_workloads::mixers::{Rwkv4, Rwkv4Params, Rwkv6, Rwkv6Params, Rwkv7, Rwkv7Params};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::{Tensors, few_steps, named, numbers, step};
use crate::flex::calls::{Calls, Named};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;

/// Implementations of `rwkv-4`.
pub const ROWS_OF_4: [Row<Rwkv4>; 2] = [LOOP_OF_4, FUSED_OF_4];

/// Implementations of `rwkv-6`.
pub const ROWS_OF_6: [Row<Rwkv6>; 2] = [LOOP_OF_6, FUSED_OF_6];

/// Implementations of `rwkv-7`.
pub const ROWS_OF_7: [Row<Rwkv7>; 2] = [LOOP_OF_7, FUSED_OF_7];

pub(super) const NAMES_OF_4: [&str; 6] = ["r", "k", "v", "decay", "u", "start"];
pub(super) const NAMES_OF_6: [&str; 6] = ["r", "k", "v", "w", "u", "start"];
pub(super) const NAMES_OF_7: [&str; 7] = ["r", "w", "k", "v", "kappa", "a", "start"];

/// ln of the smallest decay of RWKV-7.
const FASTEST: f64 = -0.606_530_659_712_633_4;

/// A few operations on tensors for each step.
pub const LOOP_OF_4: Row<Rwkv4> = burn_row::<Rwkv4>(
    "loop",
    "a loop over steps with a few tensor operations each, exponents below their largest (arXiv 2305.13048, appendix)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, |on, _, inputs| Ok(Tensors::upload(on, inputs, NAMES_OF_4)), loop_of_4)
    },
)
.only(|_, _, params: &Rwkv4Params| few_steps(params.seq))
.catalogue(&["SM3"]);

pub(super) fn loop_of_4(inputs: &Tensors<3, 6>) -> Result<[Tensor<3>; 2]> {
    let [r, k, v, decay, u, start] = inputs.all.clone();
    let ([_, seq, _], fade) = (k.dims(), decay.exp());
    let row = |index: usize| start.clone().narrow(2, index, 1).swap_dims(1, 2);
    let (mut sum, mut largest, mut outs) = (row(0), row(1), Vec::with_capacity(seq));
    let mut all = sum.ones_like();
    for at in 0..seq {
        let (key, value) = (step(&k, at), step(&v, at));
        let own = u.clone() + key.clone();
        let top = largest.clone().max_pair(own.clone());
        let (before, now) = ((largest.clone() - top.clone()).exp(), (own - top).exp());
        let mean = (before.clone() * sum.clone() + now.clone() * value.clone()) / (before * all.clone() + now);
        outs.push(mean * sigmoid(step(&r, at)));
        let faded = largest - fade.clone();
        largest = faded.clone().max_pair(key.clone());
        let (before, now) = ((faded - largest.clone()).exp(), (key - largest.clone()).exp());
        sum = before.clone() * sum + now.clone() * value;
        all = before * all + now;
    }
    let end = Tensor::cat(vec![sum / all.clone(), largest + all.log()], 1);
    Ok([Tensor::cat(outs, 1), end.swap_dims(1, 2)])
}

/// Channels as lanes, all steps in registers.
pub const FUSED_OF_4: Row<Rwkv4> = fused_row::<Rwkv4>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, channels as lanes, states in registers over all steps",
    &[DType::F32],
    |name, setting, params, inputs| {
        let Rwkv4Params { batch, seq, channels, .. } = *params;
        let kernel = move |inputs: &[Named; 6], [out, end]: [&mut [f32]; 2]| {
            let [r, k, v, decay, u, start] = numbers(inputs);
            let (size, isa) = ([batch, seq, channels], Isa::detect());
            simd::rwkv4(&simd::Rwkv4 { size, r, k, v, decay, u, start, isa }, out, end)
        };
        let shapes = [vec![batch, seq, channels], vec![batch, channels, 2]];
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES_OF_4), shapes, kernel)))
    },
)
.catalogue(&["SM3"]);

/// A few operations on tensors for each step.
pub const LOOP_OF_6: Row<Rwkv6> = burn_row::<Rwkv6>(
    "loop",
    "a loop over steps with a few tensor operations each (arXiv 2404.05892, section 4.2)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, |on, _, inputs| Ok(Tensors::upload(on, inputs, NAMES_OF_6)), loop_of_6)
    },
)
.only(|_, _, params: &Rwkv6Params| few_steps(params.seq))
.catalogue(&["SM3"]);

/// Step `at` of a tensor as rows `[batch, heads, 1, head_dim]`.
fn row(tensor: &Tensor<4>, at: usize) -> Tensor<4> {
    step(tensor, at).swap_dims(1, 2)
}

/// The same as columns `[batch, heads, head_dim, 1]`.
fn column(tensor: &Tensor<4>, at: usize) -> Tensor<4> {
    row(tensor, at).swap_dims(2, 3)
}

pub(super) fn loop_of_6(inputs: &Tensors<4, 6>) -> Result<[Tensor<4>; 2]> {
    let [r, k, v, w, u, start] = inputs.all.clone();
    let [_, seq, heads, head_dim] = k.dims();
    let (decay, bonus) = (w.exp().neg().exp(), u.reshape([1, heads, head_dim, 1]));
    let (mut state, mut outs) = (start, Vec::with_capacity(seq));
    for at in 0..seq {
        let added = column(&k, at) * row(&v, at);
        let seen = state.clone() + bonus.clone() * added.clone();
        outs.push(row(&r, at).matmul(seen).swap_dims(1, 2));
        state = column(&decay, at) * state + added;
    }
    Ok([Tensor::cat(outs, 1), state])
}

/// Rows of the state stay in registers over a chunk of steps.
pub const FUSED_OF_6: Row<Rwkv6> = fused_row::<Rwkv6>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, rows of the state in registers over 32 steps; a single step reads and writes it once",
    &[DType::F32],
    |name, setting, params, inputs| {
        let Rwkv6Params { batch, seq, heads, head_dim, .. } = *params;
        let size = RwkvSize { batch, seq, heads, head_dim };
        let kernel = move |inputs: &[Named; 6], [out, end]: [&mut [f32]; 2]| {
            let [r, k, v, w, u, start] = numbers(inputs);
            simd::rwkv6(&simd::Rwkv6 { size, r, k, v, w, u, start, isa: Isa::detect() }, out, end)
        };
        let shapes = [size.steps().to_vec(), size.states().to_vec()];
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES_OF_6), shapes, kernel)))
    },
)
.catalogue(&["SM3"]);

/// A few operations on tensors for each step.
pub const LOOP_OF_7: Row<Rwkv7> = burn_row::<Rwkv7>(
    "loop",
    "a loop over steps with a few tensor operations each (arXiv 2503.14456, section 4.1)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, |on, _, inputs| Ok(Tensors::upload(on, inputs, NAMES_OF_7)), loop_of_7)
    },
)
.only(|_, _, params: &Rwkv7Params| few_steps(params.seq))
.catalogue(&["SM3"]);

pub(super) fn loop_of_7(inputs: &Tensors<4, 7>) -> Result<[Tensor<4>; 2]> {
    let [r, w, k, v, kappa, a, start] = inputs.all.clone();
    let [_, seq, _, _] = k.dims();
    let decay = sigmoid(w).mul_scalar(FASTEST).exp();
    let length = (kappa.clone() * kappa.clone()).sum_dim(3).sqrt().clamp_min(1e-12);
    let key = kappa / length;
    let added = key.clone() * sigmoid(a);
    let (mut state, mut outs) = (start, Vec::with_capacity(seq));
    for at in 0..seq {
        let known = state.clone().matmul(column(&key, at));
        state = state * row(&decay, at) - known * row(&added, at) + column(&v, at) * row(&k, at);
        outs.push(state.clone().matmul(column(&r, at)).permute([0, 3, 1, 2]));
    }
    Ok([Tensor::cat(outs, 1), state])
}

/// A step reads and writes the state once.
pub const FUSED_OF_7: Row<Rwkv7> = fused_row::<Rwkv7>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, a step reads and writes the state once, and sums for the next step meanwhile",
    &[DType::F32],
    |name, setting, params, inputs| {
        let Rwkv7Params { batch, seq, heads, head_dim, .. } = *params;
        let size = RwkvSize { batch, seq, heads, head_dim };
        let kernel = move |inputs: &[Named; 7], [out, end]: [&mut [f32]; 2]| {
            let [r, w, k, v, kappa, a, start] = numbers(inputs);
            simd::rwkv7(&simd::Rwkv7 { size, r, w, k, v, kappa, a, start, isa: Isa::detect() }, out, end)
        };
        let shapes = [size.steps().to_vec(), size.states().to_vec()];
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES_OF_7), shapes, kernel)))
    },
)
.catalogue(&["SM3"]);
