//! Where the tensors of a LLaMA lie, one after another, so that an optimizer takes them as one.

use std::ops::Range;

use benchbook_core::Inputs;
use benchbook_workloads::training::{LLAMA_TENSORS, LlamaTrainingParams};

use crate::flex::training::steps::Places;

/// Places of tensors among [`LLAMA_TENSORS`].
pub const EMBEDDING: usize = 0;
pub const LAST_NORM: usize = 1;
pub const NORMS: [usize; 2] = [2, 3];

/// A matrix of a layer: its tensor, and which of the products it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    tensor: usize,
    pub number: usize,
}

pub const QKV: Matrix = Matrix { tensor: 4, number: 0 };
pub const OUT: Matrix = Matrix { tensor: 5, number: 1 };
pub const GATE_UP: Matrix = Matrix { tensor: 6, number: 2 };
pub const DOWN: Matrix = Matrix { tensor: 7, number: 3 };

/// Where each tensor begins, and where the last one ends.
#[derive(Debug, Clone)]
pub struct Layout {
    layers: usize,
    /// Inner and outer size of each matrix of a layer.
    sizes: [[usize; 2]; 4],
    starts: Vec<usize>,
}

impl Layout {
    /// That of a case.
    pub fn of(params: &LlamaTrainingParams) -> Self {
        let LlamaTrainingParams { layers, width, vocabulary, .. } = *params;
        let sizes = params.matrices().map(|(_, size)| size);
        let matrices = sizes.map(|[from, to]| layers * from * to);
        let mut starts = vec![0];
        for numbers in [vocabulary * width, width, layers * width, layers * width].into_iter().chain(matrices) {
            starts.push(starts.last().copied().unwrap_or(0) + numbers);
        }
        Self { layers, sizes, starts }
    }

    /// Where a tensor lies.
    pub fn tensor(&self, tensor: usize) -> Range<usize> {
        self.starts[tensor]..self.starts[tensor + 1]
    }

    /// Where the part of a tensor lies that belongs to a layer.
    pub fn part(&self, tensor: usize, layer: usize) -> Range<usize> {
        let all = self.tensor(tensor);
        let each = all.len() / self.layers;
        all.start + layer * each..all.start + (layer + 1) * each
    }

    /// A matrix of a layer.
    pub fn matrix(&self, matrix: Matrix, layer: usize) -> Range<usize> {
        self.part(matrix.tensor, layer)
    }

    /// Sizes of a matrix.
    pub fn size(&self, matrix: Matrix) -> [usize; 2] {
        self.sizes[matrix.number]
    }

    /// The weights of a case, one tensor after another.
    pub fn weights(&self, inputs: &Inputs) -> Vec<f32> {
        LLAMA_TENSORS.iter().flat_map(|name| inputs.numbers(name).iter().copied()).collect()
    }
}

impl Places for Layout {
    fn tensors(&self) -> impl Iterator<Item = Range<usize>> {
        (0..LLAMA_TENSORS.len()).map(move |tensor| self.tensor(tensor))
    }

    fn layer(&self, layer: usize) -> impl Iterator<Item = Range<usize>> {
        (NORMS[0]..LLAMA_TENSORS.len()).map(move |tensor| self.part(tensor, layer))
    }
}
