//! Models beside Transformers, NumPy and plain loops, and what is promised of them and of their techniques.

mod decoders;
mod encoders;
mod images;
mod llava;
mod looking;
mod real;
mod techniques;
mod whisper;

use serde_json::Value;

/// All numbers in a list of a fixture, and in the lists in it.
fn numbers(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().flat_map(numbers).collect(),
        None => vec![value.as_f64().unwrap()],
    }
}
