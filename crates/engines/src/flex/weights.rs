//! Weights of a layer, by their names.

use std::collections::BTreeMap;

use benchbook_core::Inputs;
use burn::tensor::Tensor;
use burn::tensor::module::linear;

use super::subject::{NamedInputs, Rows};
use super::tensor::Target;

/// Matrices and vectors as the workload gives them.
pub struct Weights {
    matrices: BTreeMap<String, Tensor<2>>,
    vectors: BTreeMap<String, Tensor<1>>,
}

impl Weights {
    /// Every input of one axis or of two, but for those of these names.
    pub fn upload(on: &Target, inputs: &Inputs, but: &[&str]) -> Self {
        let (mut matrices, mut vectors) = (BTreeMap::new(), BTreeMap::new());
        for (name, array) in inputs.iter().filter(|(name, _)| !but.contains(name)) {
            match array.shape() {
                [_] => drop(vectors.insert(name.to_owned(), on.upload(array))),
                [_, _] => drop(matrices.insert(name.to_owned(), on.upload(array))),
                _ => {}
            }
        }
        Self { matrices, vectors }
    }

    /// The matrix called `name`.
    ///
    /// # Panics
    /// If the workload gives none: an error of the implementation, not of its user.
    pub fn matrix(&self, name: &str) -> Tensor<2> {
        let found = self.matrices.get(name);
        found.unwrap_or_else(|| panic!("the workload has no matrix `{name}`")).clone()
    }

    /// The vector called `name`, where the workload gives one.
    pub fn vector(&self, name: &str) -> Option<Tensor<1>> {
        self.vectors.get(name).cloned()
    }

    /// x · weight, and its bias where there is one.
    ///
    /// # Panics
    /// As [`Weights::matrix`].
    pub fn linear(&self, x: Tensor<2>, [weight, bias]: [&str; 2]) -> Tensor<2> {
        linear(x, self.matrix(weight), self.vector(bias))
    }
}

impl NamedInputs for Weights {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if let Some(matrix) = self.matrices.get_mut(name) {
            return Some(matrix);
        }
        self.vectors.get_mut(name).map(|vector| vector as &mut dyn Rows)
    }
}
