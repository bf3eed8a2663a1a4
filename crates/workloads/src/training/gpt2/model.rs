//! The loss of GPT-2 and its gradients in `f64`, by plain loops.

use rayon::prelude::*;

use super::Gpt2TrainingParams;
use crate::attention::reference::add;
use crate::blocks::EPSILON;
use crate::training::slopes::{Tensors, head, product, to_input, to_weights};

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
        let (kept, after) = forward(params, weights, layer, stream);
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
        backward(params, (weights, &mut grads), layer, kept, &mut grad);
    }
    for ((place, id), grad) in given.iter().enumerate().zip(grad.chunks_exact(width)) {
        grads.add("wte", *id, grad);
        grads.add("wpe", place % seq, grad);
    }
    (loss, grads)
}

/// The stream after a layer, and what it keeps.
fn forward(params: &Gpt2TrainingParams, weights: &Tensors, layer: usize, before: Vec<f64>) -> (Kept, Vec<f64>) {
    let width = params.width;
    let linear = |name: &str, bias: &str, x: &[f64], [from, to]: [usize; 2]| {
        let mut out = product(x, weights.part(name, layer, from * to), [from, to]);
        out.chunks_exact_mut(to).for_each(|row| add(row, weights.part(bias, layer, to)));
        out
    };
    let normed = norm(weights, 2 * layer, width, &before);
    let qkv = linear("qkv", "qkv_bias", &normed, [width, 3 * width]);
    let mixed = attention(params, &qkv);
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
) {
    let width = params.width;
    let linear = |grads: &mut Tensors, name: &str, bias: &str, x: &[f64], grad: &[f64], [from, to]: [usize; 2]| {
        grads.add(name, layer, &to_weights(x, grad, [from, to]));
        grad.chunks_exact(to).for_each(|row| grads.add(bias, layer, row));
        to_input(grad, weights.part(name, layer, from * to), [from, to])
    };
    let gain = |place: usize| weights.part("norm_gain", place, width);
    let opened: Vec<f64> = kept.wide.iter().map(|x| gelu(*x)[0]).collect();
    let mut wide = linear(&mut *grads, "down", "down_bias", &opened, &*grad, [4 * width, width]);
    wide.iter_mut().zip(&kept.wide).for_each(|(grad, x)| *grad *= gelu(*x)[1]);
    let normed = linear(&mut *grads, "up", "up_bias", &kept.normed_again, &wide, [width, 4 * width]);
    norm_back(gain(2 * layer + 1), grads, 2 * layer + 1, [&kept.middle, &normed], grad);
    let mixed = linear(&mut *grads, "merge", "merge_bias", &kept.mixed, &*grad, [width, width]);
    let qkv = attention_back(params, &kept.qkv, &mixed);
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

/// Where query, key and value of a head lie in a row of `qkv`.
fn heads(params: &Gpt2TrainingParams, head: usize) -> [usize; 3] {
    let first = head * (params.width / params.heads);
    [first, params.width + first, 2 * params.width + first]
}

/// What each query of a head sees of all keys up to its own: weights, which add up to one.
fn seen(params: &Gpt2TrainingParams, text: &[f64], head: usize, query: usize) -> Vec<f64> {
    let (size, row, [q, k, _]) = (params.width / params.heads, 3 * params.width, heads(params, head));
    let at = |place: usize, first: usize| &text[place * row + first..][..size];
    let dot = |key: usize| at(query, q).iter().zip(at(key, k)).map(|(a, b)| a * b).sum::<f64>();
    let scores: Vec<f64> = (0..=query).map(|key| dot(key) / (size as f64).sqrt()).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Causal attention of all texts, `[batch · seq, width]`.
fn attention(params: &Gpt2TrainingParams, qkv: &[f64]) -> Vec<f64> {
    let Gpt2TrainingParams { heads: count, width, seq, .. } = *params;
    let (size, row) = (width / count, 3 * width);
    let one = |text: &[f64]| {
        let mut out = vec![0.0; seq * width];
        for (query, out) in out.chunks_exact_mut(width).enumerate() {
            for (head, out) in out.chunks_exact_mut(size).enumerate() {
                let value = heads(params, head)[2];
                for (key, weight) in seen(params, text, head, query).into_iter().enumerate() {
                    let value = &text[key * row + value..][..size];
                    out.iter_mut().zip(value).for_each(|(out, value)| *out += weight * value);
                }
            }
        }
        out
    };
    qkv.par_chunks_exact(seq * row).flat_map_iter(one).collect()
}

/// The gradient of `qkv` by that of what attention gives.
fn attention_back(params: &Gpt2TrainingParams, qkv: &[f64], grad: &[f64]) -> Vec<f64> {
    let Gpt2TrainingParams { heads: count, width, seq, .. } = *params;
    let (size, row) = (width / count, 3 * width);
    let scale = 1.0 / (size as f64).sqrt();
    let one = |(text, grad): (&[f64], &[f64])| {
        let mut out = vec![0.0; text.len()];
        for (head, query) in (0..count).flat_map(|head| (0..seq).map(move |query| (head, query))) {
            let [q, k, v] = heads(params, head);
            let grad = &grad[query * width + head * size..][..size];
            let weights = seen(params, text, head, query);
            let of_weight = |key: usize| -> f64 {
                text[key * row + v..][..size].iter().zip(grad).map(|(value, grad)| value * grad).sum()
            };
            let slopes: Vec<f64> = (0..=query).map(of_weight).collect();
            let mean: f64 = slopes.iter().zip(&weights).map(|(slope, weight)| slope * weight).sum();
            for (key, (weight, slope)) in weights.iter().zip(&slopes).enumerate() {
                let of_score = weight * (slope - mean) * scale;
                for (at, grad) in grad.iter().enumerate() {
                    out[key * row + v + at] += weight * grad;
                    out[query * row + q + at] += of_score * text[key * row + k + at];
                    out[key * row + k + at] += of_score * text[query * row + q + at];
                }
            }
        }
        out
    };
    qkv.par_chunks_exact(seq * row).zip(grad.par_chunks_exact(seq * width)).flat_map_iter(one).collect()
}

#[cfg(test)]
mod tests {
    use benchbook_core::Problem;

    use super::super::Gpt2Training;
    use super::*;

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
        let (loss, grads) = loss_and_gradients(&params, &weights, ids);
        // Of seven tokens, each about as likely as another.
        assert!((loss - 7.0_f64.ln()).abs() < 1.0, "{loss}");
        for name in TENSORS {
            let count = weights.get(name).len();
            for place in (0..count).step_by(count.div_ceil(11)) {
                let moved = |by: f64| {
                    let mut weights = weights.clone();
                    weights.get_mut(name)[place] += by;
                    loss_and_gradients(&params, &weights, ids).0
                };
                // By five points (Abramowitz & Stegun, 25.3.6): fifth derivatives times 10⁻¹⁶ / 30, and a loss of two, rounded to
                // 2⁻⁵², over the step.
                let of = |by: f64| moved(by) - moved(-by);
                let slope = (8.0 * of(1e-4) - of(2e-4)) / 12e-4;
                let found = grads.get(name)[place];
                assert!((slope - found).abs() < 1e-8, "{name} {place}: {found} for {slope}");
            }
        }
    }
}
