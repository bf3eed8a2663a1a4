//! Where the tensors of GPT-2 lie, one after another, so that an optimizer takes them as one.

use std::ops::Range;

use benchbook_core::Inputs;
use benchbook_workloads::training::{Gpt2TrainingParams, TENSORS};

use crate::flex::training::steps::Places;

/// Places of tensors among [`TENSORS`].
pub const WTE: usize = 0;
pub const WPE: usize = 1;
pub const NORM_GAIN: usize = 2;
pub const NORM_BIAS: usize = 3;

/// A matrix, whose bias is the tensor after it, and which of the products of a layer it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    pub tensor: usize,
    pub number: usize,
    /// Inner and outer size, in widths.
    pub size: [usize; 2],
}

pub const QKV: Matrix = Matrix { tensor: 4, number: 0, size: [1, 3] };
pub const MERGE: Matrix = Matrix { tensor: 6, number: 1, size: [1, 1] };
pub const UP: Matrix = Matrix { tensor: 8, number: 2, size: [1, 4] };
pub const DOWN: Matrix = Matrix { tensor: 10, number: 3, size: [4, 1] };

/// Where each tensor begins, and where the last one ends.
#[derive(Debug, Clone)]
pub struct Layout {
    pub width: usize,
    starts: Vec<usize>,
}

impl Layout {
    /// That of a case.
    pub fn of(params: &Gpt2TrainingParams) -> Self {
        let Gpt2TrainingParams { layers, width, vocabulary, seq, .. } = *params;
        let norms = (2 * layers + 1) * width;
        let matrix =
            |Matrix { size: [from, to], .. }: Matrix| [layers * from * width * to * width, layers * to * width];
        let sizes = [vocabulary * width, seq * width, norms, norms].into_iter();
        let mut starts = vec![0];
        for size in sizes.chain([QKV, MERGE, UP, DOWN].into_iter().flat_map(matrix)) {
            starts.push(starts.last().copied().unwrap_or(0) + size);
        }
        Self { width, starts }
    }

    /// Numbers of all tensors.
    pub fn numbers(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Where a tensor lies.
    pub fn tensor(&self, tensor: usize) -> Range<usize> {
        self.starts[tensor]..self.starts[tensor + 1]
    }

    /// Where the part of a tensor lies that belongs to a place, where each has so many numbers.
    pub fn part(&self, tensor: usize, place: usize, count: usize) -> Range<usize> {
        let first = self.starts[tensor] + place * count;
        first..first + count
    }

    /// Sizes of a matrix.
    pub fn size(&self, matrix: Matrix) -> [usize; 2] {
        matrix.size.map(|size| size * self.width)
    }

    /// A matrix of a layer, and its bias.
    pub fn linear(&self, matrix: Matrix, layer: usize) -> [Range<usize>; 2] {
        let [from, to] = self.size(matrix);
        [self.part(matrix.tensor, layer, from * to), self.part(matrix.tensor + 1, layer, to)]
    }

    /// Gain and bias of a norm.
    pub fn norm(&self, place: usize) -> [Range<usize>; 2] {
        [NORM_GAIN, NORM_BIAS].map(|tensor| self.part(tensor, place, self.width))
    }

    /// The weights of a case, one tensor after another.
    pub fn weights(&self, inputs: &Inputs) -> Vec<f32> {
        TENSORS.iter().flat_map(|name| inputs.numbers(name).iter().copied()).collect()
    }
}

impl Places for Layout {
    fn tensors(&self) -> impl Iterator<Item = Range<usize>> {
        (0..TENSORS.len()).map(move |tensor| self.tensor(tensor))
    }

    fn layer(&self, layer: usize) -> impl Iterator<Item = Range<usize>> {
        let norms = [2 * layer, 2 * layer + 1].into_iter().flat_map(move |place| self.norm(place));
        norms.chain([QKV, MERGE, UP, DOWN].into_iter().flat_map(move |matrix| self.linear(matrix, layer)))
    }
}

/// Two parts, of which the first lies before the second.
pub fn both(all: &mut [f32], [first, second]: [Range<usize>; 2]) -> [&mut [f32]; 2] {
    let (before, behind) = all.split_at_mut(second.start);
    [&mut before[first], &mut behind[..second.len()]]
}
