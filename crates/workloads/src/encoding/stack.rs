//! The blocks of an encoder: their sizes, their inputs, and themselves in `f64`.

use benchbook_core::{Inputs, Rounding};
use rayon::prelude::*;

use super::Merges;
use crate::attention::reference::{average, dot};
use crate::attention::sizes::check_scores;
use crate::blocks::{exact_gelu, layer_normed};
use crate::draw::{check_numbers, normal};

/// Deviation of embeddings and of what is learned for positions.
pub(super) const EMBEDDED: f32 = 0.1;

/// Whose blocks of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// With norms behind the sums, and the exact GELU.
    Bert,
    /// With norms before the parts, the exact GELU, and keys without a bias.
    Whisper,
    /// With norms before the parts, and the quick GELU, x · σ(1.702 x) (Hendrycks & Gimpel, arXiv 1606.08415, section 2).
    Clip,
}

/// Sizes of the blocks of an encoder: layer norms, biases, a GELU, and attention of every position to all. Constants are
/// those of [`TransformerBlock`](crate::blocks::TransformerBlock).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Blocks.
    pub layers: usize,
    /// Heads; they divide the width.
    pub heads: usize,
    /// Numbers of a position.
    pub width: usize,
    /// Numbers between the products of the feed-forward network.
    pub hidden: usize,
    /// Whose they are.
    pub family: Family,
}

impl Sizes {
    /// Matrices of a block, `[outer, inner]`, each with its bias, where it has one.
    fn matrices(&self) -> [(&'static str, Option<&'static str>, [usize; 2]); 6] {
        let (width, hidden) = (self.width, self.hidden);
        [
            ("w_query", Some("b_query"), [width, width]),
            ("w_key", (self.family != Family::Whisper).then_some("b_key"), [width, width]),
            ("w_value", Some("b_value"), [width, width]),
            ("w_out", Some("b_out"), [width, width]),
            ("w_up", Some("b_up"), [hidden, width]),
            ("w_down", Some("b_down"), [width, hidden]),
        ]
    }

    /// Refuses sizes that do not go together, or are too many for so many sequences of so many positions.
    ///
    /// # Errors
    /// A parameter, and what would be right.
    pub fn check(&self, [batch, seq]: [usize; 2]) -> Result<(), (&'static str, String)> {
        let Self { layers, heads, width, hidden, .. } = *self;
        if !width.is_multiple_of(heads) {
            return Err(("heads", format!("{heads} heads do not divide the width {width}")));
        }
        check_numbers("hidden", &[layers, width, hidden.max(width)])?;
        check_numbers("seq", &[batch, seq, width])?;
        check_scores("seq", [batch, heads, seq, seq])
    }

    /// The middle of a label.
    pub fn label(&self) -> String {
        let Self { layers, heads, width, hidden, .. } = *self;
        format!("l{layers} h{heads} w{width}→{hidden}")
    }

    /// Adds the weights of all layers: matrices `[layers, outer, inner]`, as checkpoints have them, biases `[layers, outer]`, and of
    /// norms `gain_1`, `bias_1`, `gain_2`, `bias_2` `[layers, width]`.
    pub(super) fn add(&self, inputs: &mut Inputs, seed: u64, mut stream: impl FnMut() -> u64) {
        let (layers, width) = (self.layers, self.width);
        for (matrix, bias, [outer, inner]) in self.matrices() {
            let deviation = 1.0 / (inner as f32).sqrt();
            inputs.insert(matrix, normal(vec![layers, outer, inner], [0.0, deviation], seed, stream()));
            if let Some(bias) = bias {
                inputs.insert(bias, normal(vec![layers, outer], [0.0, 0.1], seed, stream()));
            }
        }
        for (name, mean) in [("gain_1", 1.0), ("bias_1", 0.0), ("gain_2", 1.0), ("bias_2", 0.0)] {
            inputs.insert(name, normal(vec![layers, width], [mean, 0.1], seed, stream()));
        }
    }

    /// Numbers of all weights of the blocks.
    pub(super) fn weights(&self) -> f64 {
        let of = |(_, bias, [outer, inner]): (&str, Option<&str>, [usize; 2])| {
            outer * inner + if bias.is_some() { outer } else { 0 }
        };
        self.layers as f64 * (self.matrices().map(of).iter().sum::<usize>() + 4 * self.width) as f64
    }

    /// Multiply-adds of a sequence of so many positions.
    pub(super) fn products(&self, seq: usize) -> f64 {
        let matrices: usize = self.matrices().map(|(_, _, [outer, inner])| outer * inner).iter().sum();
        let (layers, seq) = (self.layers as f64, seq as f64);
        layers * seq * (matrices as f64 + 2.0 * seq * self.width as f64)
    }

    /// What the blocks make of a sequence `[seq, width]`, where what matrices are multiplied by may be rounded.
    pub(super) fn through(&self, inputs: &Inputs, stream: Vec<f64>, rounding: Option<Rounding>) -> Vec<f64> {
        self.through_merging(inputs, stream, rounding, None)
    }

    /// The same where positions become one with others, so that fewer come out.
    pub(super) fn through_merging(
        &self,
        inputs: &Inputs,
        mut stream: Vec<f64>,
        rounding: Option<Rounding>,
        merges: Option<Merges<'_>>,
    ) -> Vec<f64> {
        let width = self.width;
        let mut sizes = vec![1.0; stream.len() / width];
        for layer in 0..self.layers {
            let block = Block { sizes: *self, inputs, layer, rounding };
            let kept: Vec<f64> = stream.par_chunks_exact(width).flat_map_iter(|x| block.key_and_value(x)).collect();
            let attended = stream.par_chunks_exact(width).flat_map_iter(|x| block.attended(x, &kept, &sizes));
            let mut between: Vec<f64> = attended.collect();
            if let Some(merges) = merges {
                let keys: Vec<&[f64]> = kept.chunks_exact(2 * width).map(|both| &both[..width]).collect();
                merges.make(layer, (&keys, width / self.heads), &mut between, &mut sizes);
            }
            stream = between.par_chunks_exact(width).flat_map_iter(|x| block.fed(x)).collect();
        }
        stream
    }
}

/// A block, a position at a time.
struct Block<'a> {
    sizes: Sizes,
    inputs: &'a Inputs,
    layer: usize,
    rounding: Option<Rounding>,
}

impl Block<'_> {
    /// The numbers of this layer, of an input that has so many of each.
    fn own(&self, name: &str, numbers: usize) -> &[f32] {
        &self.inputs.numbers(name)[self.layer * numbers..][..numbers]
    }

    /// x · w + b, of the product of this place among all.
    fn linear(&self, place: usize, x: &[f64]) -> Vec<f64> {
        let (matrix, bias, [outer, inner]) = self.sizes.matrices()[place];
        let rounded = self.rounding.map(|rounding| rounding.of(x));
        let x = rounded.as_deref().unwrap_or(x);
        let rows = self.own(matrix, outer * inner).chunks_exact(inner).map(|row| dot(x, row));
        match bias {
            Some(bias) => rows.zip(self.own(bias, outer)).map(|(sum, bias)| sum + f64::from(*bias)).collect(),
            None => rows.collect(),
        }
    }

    fn norm(&self, [gain, bias]: [&str; 2], x: &[f64]) -> Vec<f64> {
        layer_normed(x, self.own(gain, self.sizes.width), self.own(bias, self.sizes.width))
    }

    /// What a part sees of a position.
    fn before(&self, norm: [&str; 2], x: &[f64]) -> Vec<f64> {
        if self.sizes.family == Family::Bert { x.to_vec() } else { self.norm(norm, x) }
    }

    /// A position with what a part has made of it.
    fn after(&self, norm: [&str; 2], x: &[f64], mut made: Vec<f64>) -> Vec<f64> {
        made.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        if self.sizes.family == Family::Bert { self.norm(norm, &made) } else { made }
    }

    fn key_and_value(&self, x: &[f64]) -> Vec<f64> {
        let seen = self.before(["gain_1", "bias_1"], x);
        [self.linear(1, &seen), self.linear(2, &seen)].concat()
    }

    /// A position behind attention to all, each of which stands for so many.
    fn attended(&self, x: &[f64], kept: &[f64], sizes: &[f64]) -> Vec<f64> {
        let Sizes { width, heads, .. } = self.sizes;
        let d = width / heads;
        let query = self.linear(0, &self.before(["gain_1", "bias_1"], x));
        let of_head = |(head, query): (usize, &[f64])| {
            let of = |j: usize| j * 2 * width + head * d;
            let score = |(j, size): (usize, &f64)| dot(query, &kept[of(j)..]) / (d as f64).sqrt() + size.ln();
            let scores: Vec<f64> = sizes.iter().enumerate().map(score).collect();
            average(&scores, d, |j| &kept[of(j) + width..])
        };
        let mixed: Vec<f64> = query.chunks_exact(d).enumerate().flat_map(of_head).collect();
        self.after(["gain_1", "bias_1"], x, self.linear(3, &mixed))
    }

    /// The same behind the feed-forward network.
    fn fed(&self, between: &[f64]) -> Vec<f64> {
        let up = self.linear(4, &self.before(["gain_2", "bias_2"], between));
        let gelu: fn(f64) -> f64 = match self.sizes.family {
            Family::Bert | Family::Whisper => exact_gelu,
            Family::Clip => |x| x / (1.0 + (-1.702 * x).exp()),
        };
        let wide: Vec<f64> = up.into_iter().map(gelu).collect();
        self.after(["gain_2", "bias_2"], between, self.linear(5, &wide))
    }
}
