//! The loss of GPT-2 and its gradients in `f64`, by plain loops.

use super::Gpt2TrainingParams;
use crate::attention::reference::add;
use crate::blocks::EPSILON;
use crate::training::attention::Heads;
use crate::training::eight::Factors;
use crate::training::slopes::{Tensors, head};

/// Names of the tensors, in the order in which their gradients are told.
pub const TENSORS: [&str; 12] = [
    "wte",
    "wpe",
    "norm_gain",
    "norm_bias",
    "qkv",
    "qkv_bias",
    "merge",
    "merge_bias",
    "up",
    "up_bias",
    "down",
    "down_bias",
];

/// What a layer keeps of its pass forward.
struct Kept {
    before: Vec<f64>,
    normed: Vec<f64>,
    qkv: Vec<f64>,
    mixed: Vec<f64>,
    middle: Vec<f64>,
    normed_again: Vec<f64>,
    wide: Vec<f64>,
}

/// The mean cross-entropy of the tokens that follow each of `ids` `[batch, seq + 1]`, in nats, and its gradients.
pub fn loss_and_gradients(params: &Gpt2TrainingParams, weights: &Tensors, ids: &[i32]) -> (f64, Tensors) {
    loss_by(params, weights, ids, &mut Factors::exact())
}

/// The same by these factors of the products of layers.
pub(super) fn loss_by(
    params: &Gpt2TrainingParams,
    weights: &Tensors,
    ids: &[i32],
    factors: &mut Factors,
) -> (f64, Tensors) {
    let Gpt2TrainingParams { layers, width, vocabulary, seq, .. } = *params;
    let texts = || ids.chunks_exact(seq + 1);
    let given: Vec<usize> = texts().flat_map(|text| text[..seq].iter().map(|id| *id as usize)).collect();
    let wanted: Vec<usize> = texts().flat_map(|text| text[1..].iter().map(|id| *id as usize)).collect();
    let mut stream: Vec<f64> = Vec::with_capacity(given.len() * width);
    for (place, id) in given.iter().enumerate() {
        let [token, position] = [weights.part("wte", *id, width), weights.part("wpe", place % seq, width)];
        stream.extend(token.iter().zip(position).map(|(token, position)| token + position));
    }
    let mut all = Vec::new();
    for layer in 0..layers {
        let (kept, after) = forward(params, weights, layer, stream, factors);
        all.push(kept);
        stream = after;
    }
    let last = norm(weights, 2 * layers, width, &stream);
    let mut grads = weights.zeros();
    let (loss, of_last) = head("wte", (weights, &mut grads), &last, &wanted, vocabulary);
    let mut grad = vec![0.0; stream.len()];
    let gain = |place: usize| weights.part("norm_gain", place, width);
    norm_back(gain(2 * layers), &mut grads, 2 * layers, [&stream, &of_last], &mut grad);
    for (layer, kept) in all.iter().enumerate().rev() {
        backward(params, (weights, &mut grads), layer, kept, &mut grad, factors);
    }
    for ((place, id), grad) in given.iter().enumerate().zip(grad.chunks_exact(width)) {
        grads.add("wte", *id, grad);
        grads.add("wpe", place % seq, grad);
    }
    (loss, grads)
}

/// The stream after a layer, and what it keeps.
fn forward(
    params: &Gpt2TrainingParams,
    weights: &Tensors,
    layer: usize,
    before: Vec<f64>,
    factors: &mut Factors,
) -> (Kept, Vec<f64>) {
    let width = params.width;
    let mut linear = |name: &'static str, bias: &str, x: &[f64], [from, to]: [usize; 2]| {
        let mut out = factors.forward((name, layer), x, weights.part(name, layer, from * to), [from, to]);
        out.chunks_exact_mut(to).for_each(|row| add(row, weights.part(bias, layer, to)));
        out
    };
    let normed = norm(weights, 2 * layer, width, &before);
    let qkv = linear("qkv", "qkv_bias", &normed, [width, 3 * width]);
    let mixed = heads(params).attention(&qkv);
    let mut middle = linear("merge", "merge_bias", &mixed, [width, width]);
    add(&mut middle, &before);
    let normed_again = norm(weights, 2 * layer + 1, width, &middle);
    let wide = linear("up", "up_bias", &normed_again, [width, 4 * width]);
    let opened: Vec<f64> = wide.iter().map(|x| gelu(*x)[0]).collect();
    let mut after = linear("down", "down_bias", &opened, [4 * width, width]);
    add(&mut after, &middle);
    (Kept { before, normed, qkv, mixed, middle, normed_again, wide }, after)
}

/// Turns the gradient of the stream after a layer into that before it, and adds those of its weights.
fn backward(
    params: &Gpt2TrainingParams,
    (weights, grads): (&Tensors, &mut Tensors),
    layer: usize,
    kept: &Kept,
    grad: &mut [f64],
    factors: &mut Factors,
) {
    let width = params.width;
    let mut linear =
        |grads: &mut Tensors, name: &'static str, bias: &str, x: &[f64], grad: &[f64], [from, to]: [usize; 2]| {
            let parts = [x, weights.part(name, layer, from * to), grad];
            let [of_input, of_weights] = factors.backward((name, layer), parts, [from, to]);
            grads.add(name, layer, &of_weights);
            grad.chunks_exact(to).for_each(|row| grads.add(bias, layer, row));
            of_input
        };
    let gain = |place: usize| weights.part("norm_gain", place, width);
    let opened: Vec<f64> = kept.wide.iter().map(|x| gelu(*x)[0]).collect();
    let mut wide = linear(&mut *grads, "down", "down_bias", &opened, &*grad, [4 * width, width]);
    wide.iter_mut().zip(&kept.wide).for_each(|(grad, x)| *grad *= gelu(*x)[1]);
    let normed = linear(&mut *grads, "up", "up_bias", &kept.normed_again, &wide, [width, 4 * width]);
    norm_back(gain(2 * layer + 1), grads, 2 * layer + 1, [&kept.middle, &normed], grad);
    let mixed = linear(&mut *grads, "merge", "merge_bias", &kept.mixed, &*grad, [width, width]);
    let qkv = heads(params).back(&kept.qkv, &mixed);
    let normed = linear(&mut *grads, "qkv", "qkv_bias", &kept.normed, &qkv, [width, 3 * width]);
    norm_back(gain(2 * layer), grads, 2 * layer, [&kept.before, &normed], grad);
}

/// A row less its mean over its deviation, and one over that.
fn normalised(row: &[f64]) -> (Vec<f64>, f64) {
    let count = row.len() as f64;
    let mean = row.iter().sum::<f64>() / count;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let scale = 1.0 / (variance + EPSILON).sqrt();
    (row.iter().map(|x| (x - mean) * scale).collect(), scale)
}

/// Layer norm `place` of all rows.
fn norm(weights: &Tensors, place: usize, width: usize, x: &[f64]) -> Vec<f64> {
    let [gain, bias] = ["norm_gain", "norm_bias"].map(|name| weights.part(name, place, width));
    let one = |row: &[f64]| -> Vec<f64> {
        let both = gain.iter().zip(bias);
        normalised(row).0.iter().zip(both).map(|(x, (gain, bias))| x * gain + bias).collect()
    };
    x.chunks_exact(width).flat_map(one).collect()
}

/// Adds to `to` what the gradient of a norm's result gives of its input `x`, and to the gradients of its gain and bias.
fn norm_back(gain: &[f64], grads: &mut Tensors, place: usize, [x, grad]: [&[f64]; 2], to: &mut [f64]) {
    let width = gain.len();
    for ((x, grad), to) in x.chunks_exact(width).zip(grad.chunks_exact(width)).zip(to.chunks_exact_mut(width)) {
        let (normal, scale) = normalised(x);
        let of_gain: Vec<f64> = grad.iter().zip(&normal).map(|(grad, x)| grad * x).collect();
        grads.add("norm_gain", place, &of_gain);
        grads.add("norm_bias", place, grad);
        let inner: Vec<f64> = grad.iter().zip(gain).map(|(grad, gain)| grad * gain).collect();
        let count = width as f64;
        let mean = inner.iter().sum::<f64>() / count;
        let along = inner.iter().zip(&normal).map(|(inner, x)| inner * x).sum::<f64>() / count;
        for ((to, inner), x) in to.iter_mut().zip(inner).zip(normal) {
            *to += scale * (inner - mean - x * along);
        }
    }
}

/// GELU by tanh (Hendrycks & Gimpel, arXiv 1606.08415), and its slope.
fn gelu(x: f64) -> [f64; 2] {
    let factor = (2.0 / std::f64::consts::PI).sqrt();
    let tanh = (factor * (x + 0.044715 * x.powi(3))).tanh();
    let slope = factor * (1.0 + 3.0 * 0.044715 * x * x);
    [0.5 * x * (1.0 + tanh), 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope]
}

/// Heads whose queries, keys and values lie beside each other.
fn heads(params: &Gpt2TrainingParams) -> Heads {
    let Gpt2TrainingParams { heads, width, seq, .. } = *params;
    Heads { heads, kv_heads: heads, head_dim: width / heads, seq }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Problem;

    use super::super::Gpt2Training;
    use super::*;
    use crate::training::slopes::are_slopes;

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let params = Gpt2TrainingParams {
            layers: 2,
            heads: 2,
            width: 6,
            vocabulary: 7,
            batch: 2,
            seq: 3,
            steps: 1,
            ..Gpt2TrainingParams::default()
        };
        let inputs = Gpt2Training::inputs(&params, 3);
        let (ids, weights) = (inputs.get("ids").of::<i32>(), Tensors::of(&inputs, &TENSORS));
        are_slopes(&weights, |weights| loss_and_gradients(&params, weights, ids));
    }
}
