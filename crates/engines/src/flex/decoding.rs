//! Greedy decoding by GPT-2 on plain slices: with the keys and values of earlier positions kept, and without.

use benchbook_core::{Array, DType, Error, Inputs, Loop, Looping, Result, Row, Setting, Step, Subject};
use benchbook_simd::{Isa, Product, matmul};
use benchbook_workloads::decoding::{GreedyDecoding, GreedyDecodingParams};

use crate::flex::row::fused_row;

/// Implementations of `greedy-decoding`.
pub const ROWS: [Row<GreedyDecoding>; 2] = [KV_CACHE, RECOMPUTE];

/// Each step computes the newest position alone; the first one the whole prompt.
pub const KV_CACHE: Row<GreedyDecoding> = fused_row::<GreedyDecoding>(
    "kv-cache",
    "keys and values of earlier positions are kept (Pope et al., arXiv 2211.05102, section 2); products hand-written: AVX-512, \
     AVX2 or portable",
    &[DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, true),
)
.catalogue(&["DE5"]);

/// Each step computes every position again.
pub const RECOMPUTE: Row<GreedyDecoding> = fused_row::<GreedyDecoding>(
    "recompute",
    "every position anew for each token; products hand-written: AVX-512, AVX2 or portable",
    &[DType::F32],
    |name, setting, params, inputs| prepare(name, setting, params, inputs, false),
);

/// What a layer norm adds to a variance.
const EPSILON: f32 = 1e-5;

fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &GreedyDecodingParams,
    inputs: &Inputs,
    keeps: bool,
) -> Result<Box<dyn Subject>> {
    let decoder = Decoder::new(name, &setting.device, params, inputs, keeps);
    Ok(Box::new(Looping::new(name, setting, &GreedyDecoding::steps(params), decoder)))
}

/// `x · weight + bias`.
struct Linear {
    size: [usize; 2],
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Scales numbers to a mean of 0 and a variance of 1, and to what was learned.
struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

/// A block of the model.
struct Layer {
    before_attention: Norm,
    qkv: Linear,
    merge: Linear,
    before_wide: Norm,
    up: Linear,
    down: Linear,
}

/// A model in the middle of its text.
struct Decoder {
    implementation: &'static str,
    device: String,
    params: GreedyDecodingParams,
    /// Whether keys and values are kept from step to step.
    keeps: bool,
    embedding: Vec<f32>,
    positions: Vec<f32>,
    layers: Vec<Layer>,
    last: Norm,
    /// The embedding by columns, without a bias.
    logits: Linear,
    prompt: Vec<usize>,
    /// The prompt and what was made so far, once the first step has begun.
    ids: Vec<usize>,
    /// Positions whose keys and values are known.
    known: usize,
    /// Empty before the first loop, so that what a call takes is seen in it.
    room: Room,
}

/// Memory for what a step computes, so that it allocates nothing.
#[derive(Default)]
struct Room {
    /// Keys and values of all positions, each `[positions, width]`: of every layer where they are kept, else of one at a time.
    kept: Vec<[Vec<f32>; 2]>,
    stream: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
    scores: Vec<f32>,
    logits: Vec<f32>,
}

impl Room {
    fn of(params: &GreedyDecodingParams, keeps: bool) -> Self {
        let GreedyDecodingParams { layers, width, vocabulary, prompt, tokens, .. } = *params;
        let room = |numbers: usize| vec![0.0; (prompt + tokens) * numbers];
        Self {
            kept: (0..if keeps { layers } else { 1 }).map(|_| [room(width), room(width)]).collect(),
            stream: room(width),
            normed: room(width),
            qkv: room(3 * width),
            mixed: room(width),
            wide: room(4 * width),
            scores: room(1),
            logits: vec![0.0; vocabulary],
        }
    }
}

/// Row `row` of an input whose rows have so many numbers.
fn row(inputs: &Inputs, name: &str, row: usize, width: usize) -> Vec<f32> {
    inputs.numbers(name)[row * width..][..width].to_vec()
}

impl Linear {
    fn of(inputs: &Inputs, [weight, bias]: [&str; 2], layer: usize, size: [usize; 2]) -> Self {
        let (weight, bias) = (row(inputs, weight, layer, size[0] * size[1]), row(inputs, bias, layer, size[1]));
        Self { size, weight, bias }
    }

    /// Of so many rows of `from`, into as many of `to`.
    fn apply(&self, rows: usize, from: &[f32], to: &mut [f32]) -> benchbook_simd::Result<()> {
        let ([inner, columns], right) = (self.size, &self.weight);
        let (left, to) = (&from[..rows * inner], &mut to[..rows * columns]);
        matmul(&Product { size: [rows, inner, columns], left, right, isa: Isa::detect() }, to)?;
        to.chunks_exact_mut(columns).for_each(|row| add(row, &self.bias));
        Ok(())
    }
}

impl Norm {
    fn of(inputs: &Inputs, place: usize, width: usize) -> Self {
        Self { gain: row(inputs, "norm_gain", place, width), bias: row(inputs, "norm_bias", place, width) }
    }

    /// Of every row of `from`, into `to`.
    fn apply(&self, from: &[f32], to: &mut [f32]) {
        let width = self.gain.len();
        for (from, to) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
            let mean = from.iter().sum::<f32>() / width as f32;
            let variance = from.iter().map(|number| (number - mean) * (number - mean)).sum::<f32>() / width as f32;
            let scale = 1.0 / (variance + EPSILON).sqrt();
            for (place, (to, number)) in to.iter_mut().zip(from).enumerate() {
                *to = (number - mean) * scale * self.gain[place] + self.bias[place];
            }
        }
    }
}

fn add(to: &mut [f32], other: &[f32]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}

fn gelu(x: f32) -> f32 {
    let inner = std::f32::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

/// One query over keys and values, `[positions, width]`, each head by itself; `scores` has room for all positions.
fn attend(query: &[f32], [keys, values]: [&[f32]; 2], heads: usize, scores: &mut [f32], out: &mut [f32]) {
    let width = query.len();
    let size = width / heads;
    let scale = 1.0 / (size as f32).sqrt();
    out.fill(0.0);
    for head in (0..width).step_by(size) {
        let query = &query[head..][..size];
        let mut most = f32::NEG_INFINITY;
        for (score, key) in scores.iter_mut().zip(keys.chunks_exact(width)) {
            let product: f32 = query.iter().zip(&key[head..][..size]).map(|(query, key)| query * key).sum();
            *score = product * scale;
            most = most.max(*score);
        }
        let scores = &mut scores[..keys.len() / width];
        let mut sum = 0.0;
        for score in scores.iter_mut() {
            *score = (*score - most).exp();
            sum += *score;
        }
        let out = &mut out[head..][..size];
        for (score, value) in scores.iter().zip(values.chunks_exact(width)) {
            let weight = score / sum;
            out.iter_mut().zip(&value[head..][..size]).for_each(|(out, value)| *out += weight * value);
        }
    }
}

impl Decoder {
    fn new(
        implementation: &'static str,
        device: &str,
        params: &GreedyDecodingParams,
        inputs: &Inputs,
        keeps: bool,
    ) -> Self {
        let GreedyDecodingParams { layers, width, vocabulary, prompt, tokens, .. } = *params;
        let layer = |layer: usize| Layer {
            before_attention: Norm::of(inputs, 2 * layer, width),
            qkv: Linear::of(inputs, ["qkv", "qkv_bias"], layer, [width, 3 * width]),
            merge: Linear::of(inputs, ["merge", "merge_bias"], layer, [width, width]),
            before_wide: Norm::of(inputs, 2 * layer + 1, width),
            up: Linear::of(inputs, ["up", "up_bias"], layer, [width, 4 * width]),
            down: Linear::of(inputs, ["down", "down_bias"], layer, [4 * width, width]),
        };
        let embedding = inputs.numbers("wte").to_vec();
        let by_columns = (0..width).flat_map(|place| embedding.iter().skip(place).step_by(width).copied()).collect();
        Self {
            implementation,
            device: device.to_owned(),
            params: params.clone(),
            keeps,
            positions: inputs.numbers("wpe").to_vec(),
            layers: (0..layers).map(layer).collect(),
            last: Norm::of(inputs, 2 * layers, width),
            logits: Linear { size: [width, vocabulary], weight: by_columns, bias: vec![0.0; vocabulary] },
            embedding,
            prompt: inputs.get("prompt").of::<i32>().iter().map(|id| *id as usize).collect(),
            ids: Vec::with_capacity(prompt + tokens),
            known: 0,
            room: Room::default(),
        }
    }

    /// The most likely token after those so far.
    fn next(&mut self) -> benchbook_simd::Result<usize> {
        let GreedyDecodingParams { heads, width, .. } = self.params;
        let Room { kept, stream, normed, qkv, mixed, wide, scores, logits } = &mut self.room;
        let (first, end) = (self.known, self.ids.len());
        let rows = end - first;
        let (stream, normed) = (&mut stream[..rows * width], &mut normed[..rows * width]);
        for ((to, id), place) in stream.chunks_exact_mut(width).zip(&self.ids[first..]).zip(first..) {
            to.copy_from_slice(&self.embedding[id * width..][..width]);
            add(to, &self.positions[place * width..][..width]);
        }
        for (number, layer) in self.layers.iter().enumerate() {
            let [keys, values] = &mut kept[if self.keeps { number } else { 0 }];
            layer.before_attention.apply(stream, normed);
            layer.qkv.apply(rows, normed, qkv)?;
            for (both, place) in qkv.chunks_exact(3 * width).zip(first..end) {
                keys[place * width..][..width].copy_from_slice(&both[width..2 * width]);
                values[place * width..][..width].copy_from_slice(&both[2 * width..]);
            }
            let outs = mixed.chunks_exact_mut(width);
            for ((both, out), place) in qkv.chunks_exact(3 * width).zip(outs).zip(first..end) {
                let seen = (place + 1) * width;
                attend(&both[..width], [&keys[..seen], &values[..seen]], heads, scores, out);
            }
            layer.merge.apply(rows, mixed, normed)?;
            add(stream, normed);
            layer.before_wide.apply(stream, normed);
            layer.up.apply(rows, normed, wide)?;
            wide[..rows * 4 * width].iter_mut().for_each(|number| *number = gelu(*number));
            layer.down.apply(rows, wide, normed)?;
            add(stream, normed);
        }
        self.known = end;
        self.last.apply(&stream[(rows - 1) * width..], &mut normed[..width]);
        self.logits.apply(1, normed, logits)?;
        let better = |best: usize, token: usize| if logits[token] > logits[best] { token } else { best };
        Ok((1..logits.len()).fold(0, better))
    }
}

impl Loop for Decoder {
    fn begin(&mut self) {
        if self.room.kept.is_empty() {
            self.room = Room::of(&self.params, self.keeps);
        }
        self.ids.clear();
        self.known = 0;
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        if self.ids.is_empty() {
            self.ids.extend_from_slice(&self.prompt);
        }
        if !self.keeps {
            self.known = 0;
        }
        let token = self.next().map_err(|error| Error::Implementation {
            implementation: self.implementation.into(),
            device: self.device.clone(),
            reason: error.to_string(),
        })?;
        self.ids.push(token);
        Ok(Step { tokens: 1, more: self.ids.len() < self.prompt.len() + self.params.tokens })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let tokens: Vec<i64> = self.ids[self.prompt.len()..].iter().map(|id| *id as i64).collect();
        Ok(vec![Array::new(vec![tokens.len(), 1], &tokens)])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, _first: usize, values: &[f32]) -> Result<bool> {
        if input != "prompt" {
            return Ok(false);
        }
        // Of one row, so that this is all of it.
        self.prompt.iter_mut().zip(values).for_each(|(id, value)| *id = *value as usize);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Problem;

    use super::*;

    #[test]
    fn room_is_taken_by_the_first_loop_and_for_one_layer_where_nothing_is_kept() {
        let params = GreedyDecodingParams { layers: 3, prompt: 4, tokens: 3, ..GreedyDecodingParams::default() };
        let inputs = GreedyDecoding::inputs(&params, 1);
        let mut made = Vec::new();
        for (keeps, layers) in [(true, 3), (false, 1)] {
            let mut decoder = Decoder::new("decoder", "flex", &params, &inputs, keeps);
            assert!(decoder.room.kept.is_empty() && decoder.room.wide.is_empty());
            for _ in 0..2 {
                decoder.begin();
                while decoder.step(&mut []).unwrap().more {}
            }
            let numbers: usize = decoder.room.kept.iter().flatten().map(Vec::len).sum();
            assert_eq!(numbers, layers * 2 * 7 * params.width);
            made.push(decoder.outputs().unwrap());
        }
        assert_eq!(made[0], made[1]);
    }
}
