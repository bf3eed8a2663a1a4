//! Gradients that take fewer bytes on their way to other workers: the largest numbers, integers of eight bits, factors of low rank.

mod int8;
mod power_sgd;
mod top_k;

pub use int8::{Int8Compression, Int8CompressionParams};
pub use power_sgd::{PowerSgd, PowerSgdParams};
pub use top_k::{TopKCompression, TopKCompressionParams};

use benchbook_core::{Answer, Array, Check, Inputs, Metric, Params, Preset, Value};

/// Numbers of what is left that are kept at most.
const KEPT: usize = 1 << 20;

/// By how much what was left before is smaller than the gradient.
const LEFT: f32 = 0.5;

/// A gradient `[rows, width]`, with feedback beside what the last compression left of it.
fn inputs([rows, width]: [usize; 2], feedback: bool, seed: u64) -> Inputs {
    let mut inputs = Inputs::from([("gradient", Array::normal(vec![rows, width], seed, 1))]);
    if feedback {
        inputs.insert("residual", crate::draw::normal(vec![rows, width], [0.0, LEFT], seed, 2));
    }
    inputs
}

/// What is compressed: the gradient, with feedback what was left before added to it, rounded to `f32` as everybody has it.
fn compressed(inputs: &Inputs, feedback: bool) -> Vec<f32> {
    let gradient = inputs.numbers("gradient");
    if !feedback {
        return gradient.to_vec();
    }
    gradient.iter().zip(inputs.numbers("residual")).map(|(gradient, left)| gradient + left).collect()
}

/// Rows `kept` of what is left, a matrix `[rows, width]`.
fn left(shape: [usize; 2], kept: Vec<usize>, values: Vec<f64>, check: Check) -> Answer {
    Answer { name: "residual".into(), shape: shape.into(), rows: kept, values, check }
}

/// What travels of so many numbers of `f32`.
fn metrics(numbers: usize, bytes: usize) -> Vec<Metric> {
    let whole = (numbers * size_of::<f32>()) as f64;
    vec![
        Metric::modelled("compressed_bytes", bytes as f64, "bytes"),
        Metric::modelled("compression_ratio", whole / bytes as f64, "ratio"),
    ]
}

/// Bytes that a step reads and writes beside what travels.
fn moved(numbers: usize, feedback: bool, element_bytes: usize) -> f64 {
    (if feedback { 3.0 } else { 1.0 }) * (numbers * element_bytes) as f64
}

/// Cases of some rows, with feedback and without it in the larger ones.
fn presets() -> Vec<Preset> {
    let of = |rows: i64, feedback: bool| {
        Params::default().with("rows", Value::Int(rows)).with("feedback", Value::Bool(feedback))
    };
    vec![
        Preset { name: "quick", cases: vec![of(64, true), of(1024, true)] },
        // The last two have 25 million numbers.
        Preset { name: "default", cases: vec![of(1024, true), of(24_414, false), of(24_414, true)] },
    ]
}

/// The end of a label.
fn ending(feedback: bool) -> &'static str {
    if feedback { " feedback" } else { "" }
}
