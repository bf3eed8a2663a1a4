//! The lowest format in which each layer still gives what it gave: a search, and what it has tried.

use crate::compress::Scheme;
use crate::decoder::{Decoder, Form, Forms, Plan, Session};
use crate::description::Description;
use crate::error::Result;
use crate::weights::Source;

/// Formats from the lowest on; behind them, numbers stay as they are.
const FORMATS: [(Form, f64); 2] = [(Form::Coded(Scheme::Int4G32), 4.0), (Form::Coded(Scheme::Int8), 8.0)];

/// Bits of numbers as they are.
const WHOLE: f64 = 32.0;

/// Tokens of the text that layers are tried on.
const TOKENS: usize = 16;

/// A format of a layer that was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Which layer.
    pub layer: usize,
    /// The format.
    pub form: Form,
    /// Bits of a number in it, without scales.
    pub bits: f64,
    /// ‖logits with this layer in the format − logits‖ over ‖logits‖ (Euclidean).
    pub off: f64,
    /// Whether it was taken.
    pub taken: bool,
}

/// Tries formats for each layer of a LLaMA or Qwen3, all others as they are, from the lowest on until one keeps the bound.
///
/// # Errors
/// What the source or the decoder says.
pub fn search(model: &Description, source: &dyn Source, bound: f64) -> Result<Vec<Tried>> {
    let text = &model.text;
    let tokens = TOKENS.min(text.context);
    // Spread over the vocabulary, the same for every model of its size.
    let ids: Vec<i32> = (0..tokens).map(|place| ((place * 7919 + 13) % text.vocabulary) as i32).collect();
    let logits = |decoder: &Decoder| -> Result<Vec<f32>> {
        Ok(Session::new(decoder, tokens, tokens)?.step(decoder, &ids)?.to_vec())
    };
    let mut decoder = Decoder::load(model, source, tokens)?;
    let exact = logits(&decoder)?;
    let mut tried = Vec::new();
    for layer in 0..text.layers {
        for (form, bits) in FORMATS {
            let plan = Plan { forms: Forms { attention: form, feed: form, ..Forms::default() }, ..Plan::default() };
            let off = distance(&exact, &decoder.with_layer(model, source, (layer, &plan), logits)?);
            let taken = off <= bound;
            tried.push(Tried { layer, form, bits, off, taken });
            if taken {
                break;
            }
        }
    }
    Ok(tried)
}

/// The form of each layer that a search has led to.
pub fn lowest(tried: &[Tried], layers: usize) -> Vec<Form> {
    let of_layer = |layer: usize| tried.iter().find(|one| one.layer == layer && one.taken);
    (0..layers).map(|layer| of_layer(layer).map_or(Form::Plain, |one| one.form)).collect()
}

/// Bits of a number of a layer's matrices, the mean over layers.
pub fn mean_bits(tried: &[Tried], layers: usize) -> f64 {
    let of_layer = |layer: usize| tried.iter().find(|one| one.layer == layer && one.taken);
    (0..layers).map(|layer| of_layer(layer).map_or(WHOLE, |one| one.bits)).sum::<f64>() / layers.max(1) as f64
}

/// ‖other − one‖ over ‖one‖.
fn distance(one: &[f32], other: &[f32]) -> f64 {
    let (mut off, mut all) = (0.0, 0.0);
    for (one, other) in one.iter().zip(other) {
        off += (f64::from(*other) - f64::from(*one)).powi(2);
        all += f64::from(*one).powi(2);
    }
    (off / all).sqrt()
}
