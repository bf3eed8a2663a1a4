//! The problems: references against PyTorch, counts by hand, labels, what is refused, and what every one of them gives.

mod attention;
mod blocks;
mod decoding;
mod experts;
mod experts_pytorch;
mod gpt2_decoding;
mod gradients;
mod labels;
mod matmul;
mod mixers;
mod posed;
mod pytorch;
mod refused;
mod work;

use benchbook_workloads::problems as registry;

/// The numbers of a fixture.
fn numbers<T>(json: &serde_json::Value, of: impl Fn(f64) -> T) -> Vec<T> {
    json.as_array().unwrap().iter().map(|value| of(value.as_f64().unwrap())).collect()
}
