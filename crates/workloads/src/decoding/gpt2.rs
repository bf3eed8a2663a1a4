//! GPT-2 in `f64`, a position at a time (Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019; the
//! arithmetic is that of OpenAI's `gpt-2/src/model.py`).

use benchbook_core::Inputs;

use super::GreedyDecodingParams;
use super::choice::Advance;
use crate::attention::reference::{add, average, dot};
use crate::blocks::{Activation, layer_normed};

/// What a model keeps of the positions that it has seen.
#[derive(Clone, Copy)]
pub struct Kept {
    /// The first positions, which every query sees.
    pub sinks: usize,
    /// The newest positions that a query sees, its own included.
    pub window: usize,
    /// The largest whole number by which keys and values are held, with a scale for each head of a position; nothing where
    /// they are held as they are.
    pub levels: Option<f64>,
}

/// Everything, as it is.
const ALL: Kept = Kept { sinks: 0, window: usize::MAX, levels: None };

/// A model that has seen some positions.
#[derive(Clone)]
pub struct Model<'a> {
    params: &'a GreedyDecodingParams,
    inputs: &'a Inputs,
    /// Keys and values of each layer, `[positions, width]`.
    keys: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
    positions: usize,
    /// Layers after which the last norm follows.
    depth: usize,
    kept: Kept,
}

impl<'a> Model<'a> {
    /// A model that has seen nothing.
    pub fn new(params: &'a GreedyDecodingParams, inputs: &'a Inputs) -> Self {
        let empty = vec![Vec::new(); params.layers];
        Self { params, inputs, keys: empty.clone(), values: empty, positions: 0, depth: params.layers, kept: ALL }
    }

    /// The same, of its first layers alone.
    pub fn ending_after(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// The same, which keeps no more than this.
    pub fn keeping(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }
}

impl Advance for Model<'_> {
    fn advance(&mut self, token: usize) -> Vec<f64> {
        let GreedyDecodingParams { layers, heads, width, .. } = *self.params;
        let mut stream = self.row("wte", token, width);
        add(&mut stream, &self.row("wpe", self.positions, width));
        for layer in 0..self.depth {
            let both = self.linear(["qkv", "qkv_bias"], layer, &self.norm(2 * layer, &stream), 3 * width);
            self.keys[layer].extend(rounded(&both[width..2 * width], heads, self.kept.levels));
            self.values[layer].extend(rounded(&both[2 * width..], heads, self.kept.levels));
            let seen = |position: &usize| *position < self.kept.sinks || self.positions - position < self.kept.window;
            let seen: Vec<usize> = (0..=self.positions).filter(seen).collect();
            let mixed = attention(&both[..width], &self.keys[layer], &self.values[layer], heads, &seen);
            add(&mut stream, &self.linear(["merge", "merge_bias"], layer, &mixed, width));
            let wide = self.linear(["up", "up_bias"], layer, &self.norm(2 * layer + 1, &stream), 4 * width);
            let wide: Vec<f64> = wide.into_iter().map(|x| Activation::Gelu.apply(x)).collect();
            add(&mut stream, &self.linear(["down", "down_bias"], layer, &wide, width));
        }
        self.positions += 1;
        self.norm(2 * layers, &stream)
    }

    /// By the embedding that tokens come in by.
    fn logits(&self, hidden: &[f64]) -> Vec<f64> {
        let rows = self.inputs.numbers("wte").chunks_exact(hidden.len());
        rows.map(|row| dot(hidden, row)).collect()
    }
}

impl Model<'_> {
    /// A row of an input.
    fn row(&self, name: &str, row: usize, width: usize) -> Vec<f64> {
        self.inputs.numbers(name)[row * width..][..width].iter().map(|number| f64::from(*number)).collect()
    }

    fn norm(&self, place: usize, x: &[f64]) -> Vec<f64> {
        let of = |name: &str| &self.inputs.numbers(name)[place * x.len()..][..x.len()];
        layer_normed(x, of("norm_gain"), of("norm_bias"))
    }

    /// `x · weight + bias` of a layer, whose weights are `[x, out]`.
    fn linear(&self, [weight, bias]: [&str; 2], layer: usize, x: &[f64], out: usize) -> Vec<f64> {
        let mut sums = self.row(bias, layer, out);
        for (place, number) in x.iter().enumerate() {
            let row = &self.inputs.numbers(weight)[(layer * x.len() + place) * out..][..out];
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += number * f64::from(*weight));
        }
        sums
    }
}

/// Each head by whole numbers up to `levels` and the scale that makes its largest number the largest of them.
fn rounded(numbers: &[f64], heads: usize, levels: Option<f64>) -> Vec<f64> {
    let Some(levels) = levels else { return numbers.to_vec() };
    let of_head = |head: &[f64]| {
        let scale = head.iter().fold(0.0_f64, |most, number| most.max(number.abs())) / levels;
        let one = |number: &f64| if scale > 0.0 { (number / scale).round() * scale } else { 0.0 };
        head.iter().map(one).collect::<Vec<f64>>()
    };
    numbers.chunks_exact(numbers.len() / heads).flat_map(of_head).collect()
}

/// The newest query over the positions that it sees, each head by itself.
fn attention(query: &[f64], keys: &[f64], values: &[f64], heads: usize, seen: &[usize]) -> Vec<f64> {
    let (width, size) = (query.len(), query.len() / heads);
    let of_head = |head: usize| {
        let query = &query[head..][..size];
        let score = |position: &usize| dot(query, &keys[position * width + head..]) / (size as f64).sqrt();
        let scores: Vec<f64> = seen.iter().map(score).collect();
        average(&scores, size, |place| &values[seen[place] * width + head..])
    };
    (0..width).step_by(size).flat_map(of_head).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_by_hand() {
        // Two heads of one number. The first sees equal scores, the second e to one.
        let mixed = attention(&[0.0, 1.0], &[3.0, 1.0, 5.0, 0.0], &[1.0, 1.0, 3.0, 0.0], 2, &[0, 1]);
        let e = std::f64::consts::E;
        assert!((mixed[0] - 2.0).abs() < 1e-15 && (mixed[1] - e / (e + 1.0)).abs() < 1e-15, "{mixed:?}");
        assert_eq!(attention(&[0.0, 1.0], &[3.0, 1.0, 5.0, 0.0], &[1.0, 1.0, 3.0, 0.0], 2, &[1]), [3.0, 0.0]);
    }

    #[test]
    fn heads_are_rounded_by_their_own_scales() {
        assert_eq!(rounded(&[7.0, -3.4, 0.0, 0.0], 2, Some(7.0)), [7.0, -3.0, 0.0, 0.0]);
        assert_eq!(rounded(&[0.3], 1, None), [0.3]);
    }
}
