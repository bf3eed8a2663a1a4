//! The loss of a LLaMA and its gradients in `f64`, by plain loops.

use super::LlamaTrainingParams;
use crate::attention::reference::{add, dot};
use crate::attention::window::turned_by;
use crate::blocks::EPSILON;
use crate::training::attention::Heads;
use crate::training::eight::Factors;
use crate::training::slopes::{Tensors, head};

/// Names of the tensors, in the order in which their gradients are told.
pub const LLAMA_TENSORS: [&str; 8] =
    ["embedding", "last_norm", "norm_1", "norm_2", "w_qkv", "w_out", "w_gate_up", "w_down"];

/// What a layer keeps of its pass forward.
struct Kept {
    before: Vec<f64>,
    normed: Vec<f64>,
    /// Queries and keys, turned, and values, beside each other.
    qkv: Vec<f64>,
    mixed: Vec<f64>,
    middle: Vec<f64>,
    normed_again: Vec<f64>,
    /// Gate and up, beside each other.
    both: Vec<f64>,
}

/// The mean cross-entropy of the tokens that follow each of `ids` `[batch, seq + 1]`, in nats, and its gradients.
pub fn llama_loss_and_gradients(params: &LlamaTrainingParams, weights: &Tensors, ids: &[i32]) -> (f64, Tensors) {
    loss_by(params, weights, ids, &mut Factors::exact())
}

/// The same by these factors of the products of layers.
pub(in crate::training) fn loss_by(
    params: &LlamaTrainingParams,
    weights: &Tensors,
    ids: &[i32],
    factors: &mut Factors,
) -> (f64, Tensors) {
    let LlamaTrainingParams { layers, width, vocabulary, seq, .. } = *params;
    let texts = || ids.chunks_exact(seq + 1);
    let given: Vec<usize> = texts().flat_map(|text| text[..seq].iter().map(|id| *id as usize)).collect();
    let wanted: Vec<usize> = texts().flat_map(|text| text[1..].iter().map(|id| *id as usize)).collect();
    let mut stream: Vec<f64> = given.iter().flat_map(|id| weights.part("embedding", *id, width).to_vec()).collect();
    let mut all = Vec::new();
    for layer in 0..layers {
        let (kept, after) = forward(params, weights, layer, stream, factors);
        all.push(kept);
        stream = after;
    }
    let mut grads = weights.zeros();
    let last = norm(weights.get("last_norm"), &stream);
    let (loss, of_last) = head("embedding", (weights, &mut grads), &last, &wanted, vocabulary);
    let mut grad = vec![0.0; stream.len()];
    norm_back("last_norm", 0, (weights, &mut grads), [&stream, &of_last], &mut grad);
    for (layer, kept) in all.iter().enumerate().rev() {
        backward(params, (weights, &mut grads), layer, kept, &mut grad, factors);
    }
    for (id, grad) in given.iter().zip(grad.chunks_exact(width)) {
        grads.add("embedding", *id, grad);
    }
    (loss, grads)
}

/// The stream after a layer, and what it keeps.
fn forward(
    params: &LlamaTrainingParams,
    weights: &Tensors,
    layer: usize,
    before: Vec<f64>,
    factors: &mut Factors,
) -> (Kept, Vec<f64>) {
    let LlamaTrainingParams { width, hidden, .. } = *params;
    let [query, _] = params.projected();
    let mut linear = |name: &'static str, x: &[f64], [from, to]: [usize; 2]| {
        factors.forward((name, layer), x, weights.part(name, layer, from * to), [from, to])
    };
    let normed = norm(weights.part("norm_1", layer, width), &before);
    let qkv = turned(params, &linear("w_qkv", &normed, [width, params.row()]), false);
    let mixed = heads(params).attention(&qkv);
    let mut middle = linear("w_out", &mixed, [query, width]);
    add(&mut middle, &before);
    let normed_again = norm(weights.part("norm_2", layer, width), &middle);
    let both = linear("w_gate_up", &normed_again, [width, 2 * hidden]);
    let mut after = linear("w_down", &gated(&both, hidden), [hidden, width]);
    add(&mut after, &middle);
    (Kept { before, normed, qkv, mixed, middle, normed_again, both }, after)
}

/// Turns the gradient of the stream after a layer into that before it, and adds those of its weights.
fn backward(
    params: &LlamaTrainingParams,
    (weights, grads): (&Tensors, &mut Tensors),
    layer: usize,
    kept: &Kept,
    grad: &mut [f64],
    factors: &mut Factors,
) {
    let LlamaTrainingParams { width, hidden, .. } = *params;
    let [query, _] = params.projected();
    let mut linear = |grads: &mut Tensors, name: &'static str, x: &[f64], grad: &[f64], [from, to]: [usize; 2]| {
        let parts = [x, weights.part(name, layer, from * to), grad];
        let [of_input, of_weights] = factors.backward((name, layer), parts, [from, to]);
        grads.add(name, layer, &of_weights);
        of_input
    };
    let opened = linear(&mut *grads, "w_down", &gated(&kept.both, hidden), &*grad, [hidden, width]);
    let both = gated_back(&kept.both, &opened, hidden);
    let normed = linear(&mut *grads, "w_gate_up", &kept.normed_again, &both, [width, 2 * hidden]);
    norm_back("norm_2", layer, (weights, &mut *grads), [&kept.middle, &normed], grad);
    let mixed = linear(&mut *grads, "w_out", &kept.mixed, &*grad, [query, width]);
    let qkv = turned(params, &heads(params).back(&kept.qkv, &mixed), true);
    let normed = linear(&mut *grads, "w_qkv", &kept.normed, &qkv, [width, params.row()]);
    norm_back("norm_1", layer, (weights, grads), [&kept.before, &normed], grad);
}

/// One over the root of the mean square of a row.
fn scale(row: &[f64]) -> f64 {
    1.0 / (row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64 + EPSILON).sqrt()
}

/// RMS norm of all rows.
fn norm(gain: &[f64], x: &[f64]) -> Vec<f64> {
    let one = |row: &[f64]| -> Vec<f64> {
        let scale = scale(row);
        row.iter().zip(gain).map(|(x, gain)| x * scale * gain).collect()
    };
    x.chunks_exact(gain.len()).flat_map(one).collect()
}

/// Adds to `to` what the gradient of a norm's result gives of its input `x`, and to the gradient of its gain.
fn norm_back(
    name: &str,
    place: usize,
    (weights, grads): (&Tensors, &mut Tensors),
    [x, grad]: [&[f64]; 2],
    to: &mut [f64],
) {
    let width = weights.get("last_norm").len();
    let gain = weights.part(name, place, width);
    for ((x, grad), to) in x.chunks_exact(width).zip(grad.chunks_exact(width)).zip(to.chunks_exact_mut(width)) {
        let scale = scale(x);
        let of_gain: Vec<f64> = grad.iter().zip(x).map(|(grad, x)| grad * x * scale).collect();
        grads.add(name, place, &of_gain);
        let inner: Vec<f64> = grad.iter().zip(gain).map(|(grad, gain)| grad * gain).collect();
        let along = dot(&inner, x) * scale / width as f64;
        for ((to, inner), x) in to.iter_mut().zip(inner).zip(x) {
            *to += scale * (inner - x * scale * along);
        }
    }
}

/// silu(gate) ⊙ up (SwiGLU: Shazeer, arXiv 2002.05202) of rows in which the gate comes before up.
fn gated(both: &[f64], hidden: usize) -> Vec<f64> {
    let one = |row: &[f64]| -> Vec<f64> {
        let (gate, up) = row.split_at(hidden);
        gate.iter().zip(up).map(|(gate, up)| gate * share(*gate) * up).collect()
    };
    both.chunks_exact(2 * hidden).flat_map(one).collect()
}

/// The gradients of gate and up by that of their product.
fn gated_back(both: &[f64], grad: &[f64], hidden: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(both.len());
    for (row, grad) in both.chunks_exact(2 * hidden).zip(grad.chunks_exact(hidden)) {
        let (gate, up) = row.split_at(hidden);
        // The slope of x / (1 + e^−x).
        let slope = |gate: f64| share(gate) * (1.0 + gate * (1.0 - share(gate)));
        out.extend(gate.iter().zip(up).zip(grad).map(|((gate, up), grad)| grad * up * slope(*gate)));
        out.extend(gate.iter().zip(grad).map(|(gate, grad)| grad * gate * share(*gate)));
    }
    out
}

fn share(gate: f64) -> f64 {
    1.0 / (1.0 + (-gate).exp())
}

/// Rows of queries, keys and values, of which queries and keys are turned by their positions, or back.
fn turned(params: &LlamaTrainingParams, rows: &[f64], back: bool) -> Vec<f64> {
    let LlamaTrainingParams { head_dim, seq, rotary_base, .. } = *params;
    let [query, kv] = params.projected();
    let swapped = |head: &[f64]| {
        let (left, right) = head.split_at(head_dim / 2);
        [right, left].concat()
    };
    let mut out = rows.to_vec();
    for (token, row) in out.chunks_exact_mut(params.row()).enumerate() {
        for head in row[..query + kv].chunks_exact_mut(head_dim) {
            let by = |head: &[f64]| turned_by(head, token % seq, rotary_base as f64);
            // With halves that take each other's places, a pair is turned the other way round.
            let turned = if back { swapped(&by(&swapped(head))) } else { by(head) };
            head.copy_from_slice(&turned);
        }
    }
    out
}

/// Heads whose queries, keys and values lie beside each other.
fn heads(params: &LlamaTrainingParams) -> Heads {
    let LlamaTrainingParams { heads, kv_heads, head_dim, seq, .. } = *params;
    Heads { heads, kv_heads, head_dim, seq }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Problem;

    use super::super::LlamaTraining;
    use super::*;
    use crate::training::slopes::are_slopes;

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let params = LlamaTrainingParams {
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_dim: 4,
            width: 6,
            hidden: 5,
            vocabulary: 7,
            batch: 2,
            seq: 3,
            steps: 1,
            // Angles that are all large, so that those of gradients show.
            rotary_base: 3,
            ..LlamaTrainingParams::default()
        };
        let inputs = LlamaTraining::inputs(&params, 3);
        let (ids, weights) = (inputs.get("ids").of::<i32>(), Tensors::of(&inputs, &LLAMA_TENSORS));
        are_slopes(&weights, |weights| llama_loss_and_gradients(&params, weights, ids));
    }
}
