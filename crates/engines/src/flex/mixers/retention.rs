//! Retention: step by step, in its parallel form, and hand-written in chunks.

use benchbook_core::{DType, Inputs, Result, Row, Setting, Subject, Support};
use benchbook_simd::{self as simd, CHUNK, Isa, RetentionSize, Turns};
use benchbook_workloads::mixers::{Retention, RetentionParams};
use burn::tensor::Tensor;

use super::{CHUNKS, Tensors, few_scores, few_steps, named, numbers, step};
use crate::flex::calls::{Calls, Named, failed};
use crate::flex::row::{burn_row, fused_row};
use crate::flex::subject::prepare;
use crate::flex::tensor::Target;

/// Implementations of `retention`.
pub const ROWS: [Row<Retention>; 3] = [RECURRENT, PARALLEL, CHUNKWISE];

const NAMES: [&str; 4] = ["query", "key", "value", "start"];

/// Of the normalised form, which begins with an empty state.
const FEWER_NAMES: [&str; 3] = ["query", "key", "value"];

/// A few operations on tensors for each step.
pub const RECURRENT: Row<Retention> = burn_row::<Retention>(
    "recurrent",
    "the recurrence, a loop over steps with a few tensor operations each (arXiv 2307.08621, equation 6)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, upload::<4>(NAMES), by_loop),
)
.only(plain_and_few_steps)
.catalogue(&["SM2"]);

fn plain_and_few_steps(_device: &str, _dtype: DType, params: &RetentionParams) -> Support {
    if params.is_normalised() {
        return Support::No("it has the plain form alone, give form = plain".into());
    }
    few_steps(params.seq)
}

/// What is made of a case before it is timed.
#[derive(Clone)]
struct Tables {
    /// Cosines and sines of each number of a query or key, `[1, seq, 1, key_dim]`.
    turns: Option<[Tensor<4>; 2]>,
    /// What a step leaves, `[1, heads, 1, 1]`.
    left: Tensor<4>,
    scale: f64,
}

impl Tables {
    fn new(on: &Target, params: &RetentionParams) -> Self {
        let RetentionParams { seq, heads, key_dim, xpos, .. } = *params;
        let turn = |of: fn(f64) -> f64| {
            let angle = |index: usize| of(params.angle(index / key_dim, index % key_dim / 2));
            on.upload_numbers((0..seq * key_dim).map(angle), [1, seq, 1, key_dim])
        };
        Self {
            turns: xpos.then(|| [turn(f64::cos), turn(f64::sin)]),
            left: on.upload_numbers(params.left().into_iter(), [1, heads, 1, 1]),
            scale: 1.0 / (key_dim as f64).sqrt(),
        }
    }

    /// Queries or keys at their positions.
    fn turned(&self, numbers: Tensor<4>) -> Tensor<4> {
        let Some([cos, sin]) = &self.turns else { return numbers };
        let [batch, seq, heads, key_dim] = numbers.dims();
        let pairs = numbers.clone().reshape([batch, seq, heads, key_dim / 2, 2]);
        let (first, second) = (pairs.clone().narrow(4, 0, 1), pairs.narrow(4, 1, 1));
        let crossed = Tensor::cat(vec![second.neg(), first], 4).reshape([batch, seq, heads, key_dim]);
        numbers * cos.clone() + crossed * sin.clone()
    }
}

/// Puts these inputs on a device, with the tables of the case.
fn upload<const N: usize>(
    names: [&'static str; N],
) -> impl Fn(&Target, &RetentionParams, &Inputs) -> Result<(Tensors<4, N>, Tables)> {
    move |on, params, inputs| Ok((Tensors::upload(on, inputs, names), Tables::new(on, params)))
}

fn by_loop((inputs, tables): &(Tensors<4, 4>, Tables)) -> Result<[Tensor<4>; 2]> {
    let [query, key, value, start] = inputs.all.clone();
    let [_, seq, _, _] = value.dims();
    let (query, key) = (tables.turned(query), tables.turned(key).mul_scalar(tables.scale));
    // Rows `[batch, heads, 1, ..]` and columns `[batch, heads, .., 1]`.
    let row = |tensor: &Tensor<4>, at: usize| step(tensor, at).swap_dims(1, 2);
    let (mut state, mut sums) = (start, Vec::with_capacity(seq));
    for at in 0..seq {
        state = tables.left.clone() * state + row(&key, at).swap_dims(2, 3) * row(&value, at);
        sums.push(row(&query, at).matmul(state.clone()).swap_dims(1, 2));
    }
    Ok([Tensor::cat(sums, 1), state])
}

/// All scores in memory, as attention has them.
pub const PARALLEL: Row<Retention> = burn_row::<Retention>(
    "parallel",
    "the parallel form, as attention with decays and the scores in memory (arXiv 2307.08621, equation 5)",
    &[DType::F64, DType::F32],
    |name, setting, params, inputs| {
        if params.is_normalised() {
            return prepare(name, setting, params, inputs, with_decays::<3>(FEWER_NAMES), by_normalised_scores);
        }
        let call = |(inputs, decays): &(Tensors<4, 4>, Decays)| Ok(by_scores(inputs.all.clone(), decays));
        prepare(name, setting, params, inputs, with_decays::<4>(NAMES), call)
    },
)
.only(|_, _, params: &RetentionParams| few_scores([params.batch, params.heads, params.seq]))
.catalogue(&["SM2"]);

/// What is left at each step of what was added at another: of steps `[1, heads, seq, seq]`, and of the first state
/// `[1, heads, seq, 1]`. In the normalised form, divided by the root of their sum.
#[derive(Clone)]
pub(super) struct Decays {
    tables: Tables,
    since: Tensor<4>,
    of_start: Tensor<4>,
}

impl Decays {
    pub(super) fn new(on: &Target, params: &RetentionParams) -> Self {
        let RetentionParams { seq, heads, .. } = *params;
        let left = params.left();
        let power = |head: usize, steps: usize| left[head].powi(steps as i32);
        let sum = |head: usize, step: usize| {
            let sum = || (0..=step).map(|since| power(head, since)).sum::<f64>();
            if params.is_normalised() { sum().sqrt() } else { 1.0 }
        };
        let roots: Vec<f64> = (0..heads * seq).map(|index| sum(index / seq, index % seq)).collect();
        let since = |index: usize| {
            let (head, later, earlier) = (index / seq / seq, index / seq % seq, index % seq);
            if earlier > later { 0.0 } else { power(head, later - earlier) / roots[head * seq + later] }
        };
        Self {
            tables: Tables::new(on, params),
            since: on.upload_numbers((0..heads * seq * seq).map(since), [1, heads, seq, seq]),
            of_start: on.upload_numbers((0..heads * seq).map(|at| power(at / seq, at % seq + 1)), [1, heads, seq, 1]),
        }
    }
}

/// Puts these inputs on a device, with the decays of the case.
fn with_decays<const N: usize>(
    names: [&'static str; N],
) -> impl Fn(&Target, &RetentionParams, &Inputs) -> Result<(Tensors<4, N>, Decays)> {
    move |on, params, inputs| Ok((Tensors::upload(on, inputs, names), Decays::new(on, params)))
}

/// Weights of all pairs of steps, with queries and keys `[batch, heads, seq, key_dim]`.
fn weights(query: Tensor<4>, key: Tensor<4>, decays: &Decays) -> [Tensor<4>; 3] {
    let query = decays.tables.turned(query).swap_dims(1, 2);
    let key = decays.tables.turned(key).swap_dims(1, 2).mul_scalar(decays.tables.scale);
    let weights = query.clone().matmul(key.clone().swap_dims(2, 3)) * decays.since.clone();
    [weights, query, key]
}

/// Of queries, keys, values and the first state.
pub(super) fn by_scores([query, key, value, start]: [Tensor<4>; 4], decays: &Decays) -> [Tensor<4>; 2] {
    let [_, seq, _, _] = value.dims();
    let ([weights, query, key], value) = (weights(query, key, decays), value.swap_dims(1, 2));
    let before = query.matmul(start.clone()) * decays.of_start.clone();
    let out = weights.matmul(value.clone()) + before;
    // The last row says what is left at the end, of each step and of the first state.
    let until = decays.since.clone().narrow(2, seq - 1, 1).swap_dims(2, 3);
    let kept = start * decays.of_start.clone().narrow(2, seq - 1, 1);
    [out.swap_dims(1, 2), (key * until).swap_dims(2, 3).matmul(value) + kept]
}

fn by_normalised_scores((inputs, decays): &(Tensors<4, 3>, Decays)) -> Result<[Tensor<4>; 1]> {
    let [query, key, value] = inputs.all.clone();
    let [weights, ..] = weights(query, key, decays);
    let divisor = weights.clone().sum_dim(3).abs().clamp_min(1.0);
    Ok([(weights / divisor).matmul(value.swap_dims(1, 2)).swap_dims(1, 2)])
}

/// Within a chunk as attention, from one to the next through the state.
pub const CHUNKWISE: Row<Retention> = fused_row::<Retention>(
    "chunkwise",
    "hand-written: AVX-512, AVX2 or portable, chunks of 64 steps in tiles of registers; a single step reads and writes the state \
     once",
    &[DType::F32],
    |name, setting, params, inputs| by_slices(name, setting, params, inputs, CHUNK),
)
.tuned(&CHUNKS, |name, setting, params, inputs, knobs| by_slices(name, setting, params, inputs, knobs.size("chunk")))
.catalogue(&["SM2"]);

fn by_slices(
    name: &'static str,
    setting: &Setting,
    params: &RetentionParams,
    inputs: &Inputs,
    chunk: usize,
) -> Result<Box<dyn Subject>> {
    let turns = turns(name, setting, params)?;
    let RetentionParams { batch, seq, heads, key_dim, value_dim, .. } = *params;
    let size = RetentionSize { batch, seq, heads, key_dim, value_dim };
    let (left, shape) = (params.left(), vec![batch, seq, heads, value_dim]);
    if params.is_normalised() {
        let kernel = move |inputs: &[Named; 3], [out]: [&mut [f32]; 1]| {
            let ([query, key, value], turns) = (numbers(inputs), turns.as_ref());
            let (left, start, isa): (_, &[f32], _) = (&left[..], &[], Isa::detect());
            let call = simd::Retention { size, query, key, value, left, start, turns, chunk, isa };
            simd::normalised_retention(&call, out)
        };
        return Ok(Box::new(Calls::of_slices(name, setting, named(inputs, FEWER_NAMES), [shape], kernel)));
    }
    let kernel = move |inputs: &[Named; 4], [out, end]: [&mut [f32]; 2]| {
        let ([query, key, value, start], turns) = (numbers(inputs), turns.as_ref());
        let (left, isa) = (&left[..], Isa::detect());
        let call = simd::Retention { size, query, key, value, left, start, turns, chunk, isa };
        simd::retention(&call, out, end)
    };
    let shapes = [shape, vec![batch, heads, key_dim, value_dim]];
    Ok(Box::new(Calls::of_slices(name, setting, named(inputs, NAMES), shapes, kernel)))
}

/// The angles of a case, where queries and keys are turned.
fn turns(name: &'static str, setting: &Setting, params: &RetentionParams) -> Result<Option<Turns>> {
    let RetentionParams { seq, key_dim, xpos, first_position, .. } = *params;
    let turns = xpos.then(|| Turns::new(first_position, seq, key_dim)).transpose();
    turns.map_err(|error| failed(name, &setting.device, &error.to_string()))
}
