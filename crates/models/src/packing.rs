//! Weights on their way to where they are packed.

use std::collections::BTreeMap;
use std::mem::take;

use benchbook_simd::{Isa, LinearWeights};
use rayon::prelude::*;

use crate::description::{Architecture, Audio, Description, Text, Vision};
use crate::error::{Error, Result};
use crate::tensors::Tensor;
use crate::weights::Source;

/// The tensors of a model, and who gives their numbers.
pub struct Weights<'a> {
    source: &'a dyn Source,
    tensors: BTreeMap<&'a str, &'a Tensor>,
    pub isa: Isa,
}

/// Whose blocks in which every position sees all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// With norms behind the sums, and the exact GELU.
    Bert,
    /// With norms before the parts, and the exact GELU.
    Whisper,
    /// With norms before the parts, and the quick GELU, x · σ(1.702 x).
    Clip,
}

/// Blocks in which every position sees all: their sizes, and whose they are.
#[derive(Debug, Clone, Copy)]
pub struct Seeing {
    pub layers: usize,
    pub width: usize,
    pub hidden: usize,
    pub heads: usize,
    pub family: Family,
    pub epsilon: f64,
}

/// Names of the parts of such a block.
pub struct Names {
    /// Query, key, value and output of attention, up and down.
    pub products: [String; 6],
    /// That of attention and that of the feed-forward part.
    pub norms: [String; 2],
}

impl Seeing {
    /// The blocks of the encoder of a Whisper, or of a BERT; none of other models.
    pub fn of(model: &Description) -> Option<Self> {
        let (text, epsilon) = (&model.text, model.text.epsilon);
        if let Some(Audio { layers, heads, width, hidden, .. }) = model.audio {
            return Some(Self { layers, width, hidden, heads, family: Family::Whisper, epsilon });
        }
        let Text { layers, width, hidden, heads, .. } = *text;
        let is_bert = text.architecture == Architecture::Bert && model.vision.is_none();
        is_bert.then_some(Self { layers, width, hidden, heads, family: Family::Bert, epsilon })
    }

    /// The blocks of a tower of CLIP up to those features that a LLaVA takes, which are made before the last one.
    pub fn of_clip(vision: &Vision, epsilon: f64) -> Self {
        let &Vision { layers, width, hidden, heads, .. } = vision;
        Self { layers: layers.saturating_sub(1), width, hidden, heads, family: Family::Clip, epsilon }
    }

    /// The names of the parts of a layer.
    pub fn names(&self, layer: usize) -> Names {
        let (below, products, norms) = match self.family {
            Family::Bert => (
                "encoder.layer",
                [
                    "attention.self.query",
                    "attention.self.key",
                    "attention.self.value",
                    "attention.output.dense",
                    "intermediate.dense",
                    "output.dense",
                ],
                ["attention.output.LayerNorm", "output.LayerNorm"],
            ),
            Family::Whisper => (
                "model.encoder.layers",
                ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2"],
                ["self_attn_layer_norm", "final_layer_norm"],
            ),
            Family::Clip => (
                "vision_tower.vision_model.encoder.layers",
                [
                    "self_attn.q_proj",
                    "self_attn.k_proj",
                    "self_attn.v_proj",
                    "self_attn.out_proj",
                    "mlp.fc1",
                    "mlp.fc2",
                ],
                ["layer_norm1", "layer_norm2"],
            ),
        };
        let at = |name: &str| format!("{below}.{layer}.{name}");
        Names { products: products.map(at), norms: norms.map(at) }
    }
}

impl<'a> Weights<'a> {
    pub fn of(tensors: &'a [Tensor], source: &'a dyn Source) -> Self {
        let tensors = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        Self { source, tensors, isa: Isa::detect() }
    }

    /// The numbers of a tensor, as many as its shape says.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        let unknown = || Error::Missing { name: name.to_owned(), found: "no tensor of this name".to_owned() };
        let tensor = self.tensors.get(name).ok_or_else(unknown)?;
        let numbers = self.source.numbers(tensor)?;
        if numbers.len() == tensor.count() {
            return Ok(numbers);
        }
        Err(Error::Shape { name: name.to_owned(), wanted: tensor.shape.clone(), found: vec![numbers.len()] })
    }

    /// A matrix `[outer, inner]` as `[inner, outer]`.
    pub fn turned(&self, name: &str, inner: usize) -> Result<Vec<f32>> {
        Ok(transposed(&self.numbers(name)?, inner))
    }

    /// The bias of a product, where the model has one.
    pub fn bias(&self, product: &str) -> Result<Option<Vec<f32>>> {
        let name = format!("{product}.bias");
        self.tensors.contains_key(name.as_str()).then(|| self.numbers(&name)).transpose()
    }

    /// Gain and bias of a layer norm.
    pub fn layer_norm(&self, name: &str) -> Result<[Vec<f32>; 2]> {
        Ok([self.numbers(&format!("{name}.weight"))?, self.numbers(&format!("{name}.bias"))?])
    }

    /// A convolution of three neighbours `[outer, inner, 3]` as a product of these side by side, and its bias.
    pub fn neighbours(&self, name: &str, [inner, outer]: [usize; 2]) -> Result<LinearWeights> {
        let weight = self.numbers(&format!("{name}.weight"))?;
        let bias = self.numbers(&format!("{name}.bias"))?;
        let rows = (0..3).flat_map(|tap| (0..inner).map(move |channel| channel * 3 + tap));
        let matrix: Vec<f32> = rows.flat_map(|at| weight.iter().skip(at).step_by(3 * inner).copied()).collect();
        Ok(LinearWeights::new([3 * inner, outer], &matrix, Some(&bias), self.isa)?)
    }
}

/// Numbers of a side of the squares in which a matrix is transposed: a line of the cache.
const SIDE: usize = 16;

/// Rows of `inner` numbers by columns; threads share these.
pub fn transposed(rows: &[f32], inner: usize) -> Vec<f32> {
    let mut turned = vec![0.0; rows.len()];
    if rows.is_empty() {
        return turned;
    }
    let outer = rows.len() / inner;
    // What is read and what is written lies together only within a square.
    turned.par_chunks_mut(SIDE * outer).enumerate().for_each(|(band, turned)| {
        let columns = turned.len() / outer;
        for first in (0..outer).step_by(SIDE) {
            for row in first..outer.min(first + SIDE) {
                let numbers = &rows[row * inner + band * SIDE..][..columns];
                turned.iter_mut().skip(row).step_by(outer).zip(numbers).for_each(|(to, number)| *to = *number);
            }
        }
    });
    turned
}

/// Matrices of so many rows beside each other, each with its columns; threads share the rows.
pub fn side_by_side<T: Copy + Default + Send + Sync>(sides: &[(&[T], usize)], rows: usize) -> Vec<T> {
    let across: usize = sides.iter().map(|(_, columns)| columns).sum();
    let mut all = vec![T::default(); rows * across];
    all.par_chunks_mut(across.max(1)).enumerate().for_each(|(row, mut rest)| {
        for (side, columns) in sides {
            let (mine, others) = take(&mut rest).split_at_mut(*columns);
            mine.copy_from_slice(&side[row * columns..][..*columns]);
            rest = others;
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transposed_twice_is_as_before() {
        for [outer, inner] in [[0, 3], [1, 1], [1, 40], [40, 1], [16, 16], [17, 33], [50, 7]] {
            let rows: Vec<f32> = (0..outer * inner).map(|at| at as f32).collect();
            let turned = transposed(&rows, inner);
            let is_turned = |(at, number): (usize, &f32)| *number == (at % outer * inner + at / outer) as f32;
            assert!(turned.iter().enumerate().all(is_turned), "{outer} × {inner}: {turned:?}");
            if outer > 0 {
                assert_eq!(transposed(&turned, outer), rows);
            }
        }
    }

    #[test]
    fn rows_go_on_in_the_next_matrix() {
        assert_eq!(side_by_side(&[(&[1, 2, 3, 4], 2), (&[5, 6], 1), (&[], 0)], 2), [1, 2, 5, 3, 4, 6]);
        let nothing: [(&[u8], usize); 2] = [(&[], 3), (&[], 0)];
        assert!(side_by_side(&nothing, 0).is_empty() && side_by_side(&nothing[1..], 2).is_empty());
        // More rows than threads, and columns of which no two sides have as many.
        let sides: Vec<Vec<usize>> = (1..5).map(|columns| (0..300 * columns).collect()).collect();
        let lent: Vec<(&[usize], usize)> = sides.iter().map(Vec::as_slice).zip(1..).collect();
        for (row, found) in side_by_side(&lent, 300).chunks_exact(1 + 2 + 3 + 4).enumerate() {
            let right: Vec<usize> = (1..5).flat_map(|columns| row * columns..(row + 1) * columns).collect();
            assert_eq!(found, right);
        }
    }
}
