//! The block by its parts, a position at a time.

use benchbook_core::{Inputs, Reference};

use super::{Architecture, TransformerBlockParams};
use crate::attention::reference::{average, dot};
use crate::attention::window::turned;
use crate::blocks::activation::exact_gelu;
use crate::blocks::{Activation, layer_normed, numbers, rms_normed};
use crate::rows::{Place, Positions, add_product};

/// The block of a case.
struct Block<'a> {
    params: &'a TransformerBlockParams,
    architecture: Architecture,
    inputs: &'a Inputs,
}

/// Rows of what the block gives, by plain loops: keys and values of whole sequences first.
pub fn solve(params: &TransformerBlockParams, inputs: &Inputs, seed: u64) -> Reference {
    let TransformerBlockParams { batch, seq, width, .. } = *params;
    let block = Block { params, architecture: params.architecture(), inputs };
    let ([query, kv], input) = (params.projected(), inputs.numbers("input"));
    let at = |row: usize| numbers(&input[row * width..][..width]);
    let weights: usize = params.matrices().into_iter().map(|(_, _, [from, to])| from * to).sum();
    let positions = Positions::choose([batch, seq], 2 * seq * width * kv, weights + 2 * seq * query, seed);
    let kept = positions.all(|row| block.key_and_value(&at(row), row % seq));
    let (rows, values) =
        positions.solve(|Place { first, step, row }| block.position(&at(row), step, &kept[first * 2 * kv..]));
    Reference::of(vec![batch, seq, width], rows, values)
}

impl Block<'_> {
    /// The key of a position, turned, and behind it its value, each head by head.
    fn key_and_value(&self, x: &[f64], step: usize) -> Vec<f64> {
        let [_, kv] = self.params.projected();
        let seen = self.before(1, x);
        let mut both = self.placed("key", self.linear("key", &seen, kv), step);
        both.extend(self.linear("value", &seen, kv));
        both
    }

    /// What the block makes of a position, beside the keys and values of its sequence.
    fn position(&self, x: &[f64], step: usize, kept: &[f64]) -> Vec<f64> {
        let TransformerBlockParams { width, heads, kv_heads, head_dim: d, seq, .. } = *self.params;
        let [all, kv] = self.params.projected();
        let query = self.placed("query", self.linear("query", &self.before(1, x), all), step);
        let seen = if self.architecture.causal() { step + 1 } else { seq };
        let of_head = |(head, query): (usize, &[f64])| {
            let of = |j: usize| j * 2 * kv + head / (heads / kv_heads) * d;
            let scores: Vec<f64> = (0..seen).map(|j| dot(query, &kept[of(j)..]) / (d as f64).sqrt()).collect();
            average(&scores, d, |j| &kept[of(j) + kv..])
        };
        let mixed: Vec<f64> = query.chunks_exact(d).enumerate().flat_map(of_head).collect();
        let between = self.after(1, x, self.linear("out", &mixed, width));
        let wide = self.feed_forward(&self.before(2, &between));
        self.after(2, &between, wide)
    }

    fn feed_forward(&self, x: &[f64]) -> Vec<f64> {
        let TransformerBlockParams { width, hidden, .. } = *self.params;
        let up = self.linear("up", x, hidden);
        let between: Vec<f64> = match self.architecture {
            Architecture::Gpt2 => up.into_iter().map(|x| Activation::Gelu.apply(x)).collect(),
            Architecture::Bert => up.into_iter().map(exact_gelu).collect(),
            Architecture::Llama | Architecture::Qwen3 => {
                let gate = self.linear("gate", x, hidden);
                up.into_iter().zip(gate).map(|(up, gate)| up * Activation::Silu.apply(gate)).collect()
            }
        };
        self.linear("down", &between, width)
    }

    /// What the part of this number sees of a position.
    fn before(&self, part: usize, x: &[f64]) -> Vec<f64> {
        if self.architecture.post_norm() { x.to_vec() } else { self.norm(part, x) }
    }

    /// A position with what a part has made of it.
    fn after(&self, part: usize, x: &[f64], mut made: Vec<f64>) -> Vec<f64> {
        made.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        if self.architecture.post_norm() { self.norm(part, &made) } else { made }
    }

    fn norm(&self, part: usize, x: &[f64]) -> Vec<f64> {
        let gain = self.inputs.numbers(&format!("gain_{part}"));
        if self.architecture.biased() {
            layer_normed(x, gain, self.inputs.numbers(&format!("bias_{part}")))
        } else {
            rms_normed(x, gain)
        }
    }

    /// x · w + b, where there is a bias.
    fn linear(&self, name: &str, x: &[f64], columns: usize) -> Vec<f64> {
        let mut sums = if self.architecture.biased() {
            numbers(self.inputs.numbers(&format!("b_{name}")))
        } else {
            vec![0.0; columns]
        };
        add_product(&mut sums, x.iter().copied(), self.inputs.numbers(&format!("w_{name}")));
        sums
    }

    /// Queries or keys of a position, where each head has a norm or is turned.
    fn placed(&self, name: &str, heads: Vec<f64>, step: usize) -> Vec<f64> {
        if !self.architecture.rotary() {
            return heads;
        }
        let one = |head: &[f64]| {
            if self.architecture.head_norms() {
                turned(&rms_normed(head, self.inputs.numbers(&format!("{name}_gain"))), step)
            } else {
                turned(head, step)
            }
        };
        heads.chunks_exact(self.params.head_dim).flat_map(one).collect()
    }
}
