//! Inputs that are drawn around a mean.

use benchbook_core::Array;

/// Normal numbers of this mean and deviation.
pub fn normal(shape: Vec<usize>, [mean, deviation]: [f32; 2], seed: u64, stream: u64) -> Array {
    let mut array = Array::normal(shape, seed, stream);
    array.of_mut::<f32>().iter_mut().for_each(|number| *number = mean + deviation * *number);
    array
}

/// Weights `[from, to]`, normal with variance 1 / from: what they give of standard normal numbers is so too.
pub fn weights([from, to]: [usize; 2], seed: u64, stream: u64) -> Array {
    normal(vec![from, to], [0.0, 1.0 / (from as f32).sqrt()], seed, stream)
}
