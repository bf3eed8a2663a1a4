//! A token a step, the most likely one.

use benchbook_core::{Array, Loop, Metric, Result, Setting, Step};

use super::text::{Model, Reader, best};
use crate::flex::calls::failed;

/// Who computes where, for errors.
pub struct Who {
    implementation: &'static str,
    device: String,
}

impl Who {
    /// An implementation in a setting.
    pub fn new(implementation: &'static str, setting: &Setting) -> Self {
        Self { implementation, device: setting.device.clone() }
    }

    /// An answer, or what has failed for whom.
    ///
    /// # Errors
    /// That of the answer.
    pub fn said<T>(&self, answer: benchbook_simd::Result<T>) -> Result<T> {
        answer.map_err(|error| failed(self.implementation, &self.device, &error.to_string()))
    }
}

/// Ids as they come.
pub fn ids_of(array: &Array) -> Vec<usize> {
    array.of::<i32>().iter().map(|id| *id as usize).collect()
}

/// Tokens as an output, `[tokens, 1]`.
pub fn as_output(tokens: &[usize]) -> Array {
    let tokens: Vec<i64> = tokens.iter().map(|id| *id as i64).collect();
    Array::new(vec![tokens.len(), 1], &tokens)
}

/// Puts all ids of the prompt in the place of others; `false` where this is no prompt.
pub fn write_prompt(prompt: &mut [usize], input: &str, values: &[f32]) -> bool {
    if input != "prompt" {
        return false;
    }
    // Of one row, so that this is all of it.
    prompt.iter_mut().zip(values).for_each(|(id, value)| *id = *value as usize);
    true
}

/// What is kept from step to step, and from loop to loop.
#[derive(Debug, Clone, Copy)]
pub struct Keeps {
    /// Keys and values of the text so far.
    pub text: bool,
    /// Keys and values of so many tokens of the beginning, where the next text begins with the same.
    pub prefix: usize,
}

/// Greedy decoding.
pub struct Greedy<M: Model> {
    /// For errors.
    pub who: Who,
    /// The model, and what it has read.
    pub reader: Reader<M>,
    /// What is not computed again.
    pub keeps: Keeps,
    /// What comes before the prompt.
    pub prefix: Vec<usize>,
    /// The prompt.
    pub prompt: Vec<usize>,
    /// Tokens to make.
    pub tokens: usize,
    /// All so far, once the first step has begun.
    pub ids: Vec<usize>,
    /// What is told beside the bytes of the cache.
    pub told: Vec<Metric>,
}

impl<M: Model> Greedy<M> {
    fn given(&self) -> usize {
        self.prefix.len() + self.prompt.len()
    }
}

impl<M: Model> Loop for Greedy<M> {
    fn begin(&mut self) {
        self.ids.clear();
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        if self.ids.is_empty() {
            self.ids.extend_from_slice(&self.prefix);
            self.ids.extend_from_slice(&self.prompt);
            self.who.said(self.reader.keep(self.keeps.prefix))?;
        } else if !self.keeps.text {
            self.who.said(self.reader.keep(0))?;
        }
        let token = best(self.who.said(self.reader.logits(&self.ids, 1))?);
        self.ids.push(token);
        Ok(Step { tokens: 1, more: self.ids.len() < self.given() + self.tokens })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![as_output(&self.ids[self.given()..])])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        Ok(write_prompt(&mut self.prompt, input, values))
    }

    fn metrics(&self) -> Vec<Metric> {
        let cache = Metric::modelled("cache_bytes", self.reader.bytes() as f64, "bytes");
        self.told.iter().cloned().chain([cache]).collect()
    }
}
