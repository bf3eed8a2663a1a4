//! Inputs that are drawn around a mean, and how many numbers an input may have.

use benchbook_core::Array;

/// Numbers of an input, of a result or of a state at most.
const MOST_NUMBERS: f64 = 1e11;

/// Refuses more numbers than any machine holds, and names the parameter `name`.
///
/// # Errors
/// The product of the sizes is over 10^11.
pub fn check_numbers(name: &'static str, sizes: &[usize]) -> Result<(), (&'static str, String)> {
    let numbers: f64 = sizes.iter().map(|size| *size as f64).product();
    if numbers <= MOST_NUMBERS {
        return Ok(());
    }
    Err((name, format!("the sizes {sizes:?} multiply to {numbers:.1e}, over 10^11 numbers")))
}

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
