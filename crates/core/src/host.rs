//! Arrays in host memory, the neutral ground between workloads and implementations.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A dense row-major array of `f32` in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct HostArray {
    /// Length of each axis, outermost first.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub data: Vec<f32>,
    /// Whether the elements are flags, zero or one, which devices store in a byte each.
    pub flags: bool,
}

impl HostArray {
    /// An array of the given shape.
    ///
    /// # Panics
    /// If `data` does not hold exactly as many elements as `shape` asks for.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "shape {shape:?} does not fit the data");
        Self { shape, data, flags: false }
    }

    /// Standard normal values, the same on every machine for one `(seed, stream)`.
    ///
    /// `stream` keeps the inputs of one case independent of each other.
    pub fn normal(shape: Vec<usize>, seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let count = shape.iter().product();
        let data = StandardNormal.sample_iter(&mut rng).take(count).collect();
        Self::new(shape, data)
    }

    /// Ones with probability `share`, else zeros, the same on every machine for one `(seed, stream)`.
    pub fn bernoulli(shape: Vec<usize>, share: f32, seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let count = shape.iter().product();
        let uniform = rand::distr::StandardUniform.sample_iter(&mut rng);
        let data = uniform.take(count).map(|draw: f32| f32::from(u8::from(draw < share))).collect();
        Self { flags: true, ..Self::new(shape, data) }
    }

    /// Overwrites whole rows, `first` and what follows.
    ///
    /// # Panics
    /// If the array has no such rows.
    pub fn write(&mut self, first: usize, values: &[f32]) {
        let start = first * self.width();
        self.data[start..start + values.len()].copy_from_slice(values);
    }

    /// Whether it holds real numbers, which may be any, not flags or indices, which may not.
    fn is_real(&self) -> bool {
        !self.flags && self.data.iter().any(|value| value.fract() != 0.0)
    }

    /// One array as it is; several, in the width of the first, as the rows of one.
    ///
    /// # Panics
    /// If their elements together are no whole number of rows.
    pub fn stacked(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let width = parts.first().map_or(1, Self::width);
        let data: Vec<f32> = parts.into_iter().flat_map(|part| part.data).collect();
        Self::new(vec![data.len().checked_div(width).unwrap_or(0), width], data)
    }

    /// The length of the last axis (1 for a scalar).
    pub fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The number of rows: elements over the length of the last axis.
    pub fn rows(&self) -> usize {
        self.data.len().checked_div(self.width()).unwrap_or(0)
    }
}

/// The seeded inputs of one case, by name (`query`, `key`, …).
#[derive(Debug, Clone, Default)]
pub struct Inputs(pub BTreeMap<&'static str, HostArray>);

impl Inputs {
    /// The input called `name`.
    ///
    /// # Panics
    /// If the workload gives no such input: an error of the implementation, not of its user.
    pub fn get(&self, name: &str) -> &HostArray {
        self.0.get(name).unwrap_or_else(|| panic!("the workload has no input `{name}`"))
    }

    /// Names of the inputs of real numbers: those that other ones can take the place of.
    pub fn real(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, array)| array.is_real()).map(|(name, _)| *name).collect()
    }

    /// Size of all inputs in bytes when stored with `element_bytes` per element, and one per flag.
    pub fn bytes(&self, element_bytes: usize) -> usize {
        self.0.values().map(|array| array.data.len() * if array.flags { 1 } else { element_bytes }).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_inputs_repeat_and_have_the_right_moments() {
        let n = 100_000;
        let first = HostArray::normal(vec![n], 3, 1);
        assert_eq!(first, HostArray::normal(vec![n], 3, 1));
        assert_ne!(first, HostArray::normal(vec![n], 3, 2));
        let mean = first.data.iter().map(|x| f64::from(*x)).sum::<f64>() / n as f64;
        let square = first.data.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64;
        // Standard errors 1/sqrt(n) and sqrt(2/n); five of them is a chance below 1e-6.
        assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "mean {mean}");
        assert!((square - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "mean square {square}");
    }

    #[test]
    fn arrays_are_stacked_by_rows() {
        let array = |shape: &[usize]| HostArray::normal(shape.to_vec(), 1, 2);
        assert_eq!(HostArray::stacked(vec![array(&[2, 3, 4])]), array(&[2, 3, 4]));
        let both = HostArray::stacked(vec![array(&[2, 3, 4]), array(&[5, 4])]);
        assert_eq!((&both.shape[..], &both.data[24..]), (&[11, 4][..], &array(&[5, 4]).data[..]));
        assert_eq!(HostArray::stacked(Vec::new()).data, Vec::<f32>::new());
        assert_eq!(HostArray::stacked(vec![array(&[3, 0]), array(&[2, 0])]).shape, [0, 0]);
    }

    #[test]
    fn rows_are_overwritten_and_only_real_numbers_may_be() {
        let mut array = HostArray::normal(vec![2, 2, 3], 1, 2);
        let before = array.clone();
        array.write(2, &[7.0, 8.0, 9.0]);
        assert_eq!(array.data[6..9], [7.0, 8.0, 9.0]);
        assert_eq!((&array.data[..6], &array.data[9..]), (&before.data[..6], &before.data[9..]));
        let table = HostArray::new(vec![2], vec![3.0, -1.0]);
        let mask = HostArray::bernoulli(vec![4], 0.5, 1, 1);
        assert_eq!(Inputs([("a", array), ("table", table), ("mask", mask)].into()).real(), ["a"]);
    }

    #[test]
    fn bernoulli_inputs_hold_their_share() {
        let n = 100_000;
        let array = HostArray::bernoulli(vec![n], 0.25, 3, 1);
        let share = array.data.iter().sum::<f32>() / n as f32;
        assert!((share - 0.25).abs() < 5.0 * (0.1875 / n as f32).sqrt(), "share {share}");
    }
}
