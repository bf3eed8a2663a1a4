//! The seeded inputs of a case.

use std::collections::BTreeMap;

use crate::{Array, DType};

/// The inputs of one case, by name (`query`, `key`, …).
///
/// Real numbers are `f32`, which every engine turns into the dtype that it computes in; indices, lengths and flags have a dtype
/// of their own, and keep it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs(BTreeMap<String, Array>);

impl<const N: usize> From<[(&str, Array); N]> for Inputs {
    fn from(named: [(&str, Array); N]) -> Self {
        Self(named.map(|(name, array)| (name.to_owned(), array)).into())
    }
}

impl Inputs {
    /// The input called `name`.
    ///
    /// # Panics
    /// If the workload gives no such input: an error of the implementation, not of its user.
    pub fn get(&self, name: &str) -> &Array {
        self.0.get(name).unwrap_or_else(|| panic!("the workload has no input `{name}`"))
    }

    /// The numbers of the input called `name`, in row-major order.
    ///
    /// # Panics
    /// As [`Inputs::get`], and if they are not `f32`.
    pub fn numbers(&self, name: &str) -> &[f32] {
        self.get(name).of()
    }

    /// The same, to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Array> {
        self.0.get_mut(name)
    }

    /// Adds an input, or puts it in the place of the one of this name.
    pub fn insert(&mut self, name: &str, array: Array) {
        self.0.insert(name.to_owned(), array);
    }

    /// Takes an input out.
    pub fn remove(&mut self, name: &str) -> Option<Array> {
        self.0.remove(name)
    }

    /// Every input, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.0.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Names of the inputs of real numbers: those that other ones can take the place of.
    pub fn real(&self) -> Vec<String> {
        self.0.iter().filter(|(_, array)| array.dtype() == DType::F32).map(|(name, _)| name.clone()).collect()
    }

    /// Size of all inputs in bytes when real numbers are stored with `element_bytes` each.
    pub fn bytes(&self, element_bytes: usize) -> usize {
        let size = |array: &Array| match array.dtype() {
            DType::F32 => array.len() * element_bytes,
            _ => array.bytes().len(),
        };
        self.0.values().map(size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_numbers_may_be_any_others() {
        let table = Array::new(vec![2], &[3_i32, -1]);
        let mask = Array::bernoulli(vec![4], 0.5, 1, 1);
        let inputs = Inputs::from([("a", Array::normal(vec![2, 3], 1, 2)), ("table", table), ("mask", mask)]);
        assert_eq!(inputs.real(), ["a"]);
        assert_eq!(inputs.bytes(2), 6 * 2 + 2 * 4 + 4);
        assert_eq!(inputs.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "mask", "table"]);
    }
}
