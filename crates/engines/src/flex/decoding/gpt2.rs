//! GPT-2 on plain slices: its weights, and passes over the positions of several texts.

use std::sync::Arc;

use benchbook_core::Inputs;
use benchbook_simd::{Isa, Product, Result, matmul};
use benchbook_workloads::decoding::GreedyDecodingParams;

use super::cache::Cache;
use super::text::{Model, Part, rows_of};

/// What a layer norm adds to a variance.
const EPSILON: f32 = 1e-5;

/// `x · weight + bias`.
struct Linear {
    size: [usize; 2],
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Scales numbers to a mean of 0 and a variance of 1, and to what was learned.
#[derive(Clone)]
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

/// The weights of a model, which several models may share.
pub struct Weights {
    width: usize,
    embedding: Vec<f32>,
    /// `[context, width]`
    positions: Vec<f32>,
    /// Models with other heads share them.
    layers: Arc<Vec<Layer>>,
    last: Norm,
    /// The embedding by columns, without a bias.
    logits: Linear,
}

/// Memory for what a pass computes, so that no later one of the same size allocates.
#[derive(Default)]
struct Room {
    stream: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
    scores: Vec<f32>,
    logits: Vec<f32>,
}

/// The first layers of a model, and its last norm.
pub struct Gpt2<C> {
    weights: Arc<Weights>,
    depth: usize,
    room: Room,
    text: Box<dyn Fn() -> C>,
}

/// Row `row` of an input whose rows have so many numbers.
fn row(inputs: &Inputs, name: &str, row: usize, width: usize) -> Vec<f32> {
    inputs.numbers(name)[row * width..][..width].to_vec()
}

fn add(to: &mut [f32], other: &[f32]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}

fn gelu(x: f32) -> f32 {
    let inner = std::f32::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

impl Linear {
    fn of(inputs: &Inputs, [weight, bias]: [&str; 2], layer: usize, size: [usize; 2]) -> Self {
        let (weight, bias) = (row(inputs, weight, layer, size[0] * size[1]), row(inputs, bias, layer, size[1]));
        Self { size, weight, bias }
    }

    /// Of so many rows of `from`, into as many of `to`; the sum of a row has one order, however many there are.
    fn apply(&self, rows: usize, from: &[f32], to: &mut [f32]) -> Result<()> {
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

impl Weights {
    /// The weights of a case.
    pub fn of(params: &GreedyDecodingParams, inputs: &Inputs) -> Arc<Self> {
        let GreedyDecodingParams { layers, width, vocabulary, .. } = *params;
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
        Arc::new(Self {
            width,
            positions: inputs.numbers("wpe").to_vec(),
            layers: Arc::new((0..layers).map(layer).collect()),
            last: Norm::of(inputs, 2 * layers, width),
            logits: Linear { size: [width, vocabulary], weight: by_columns, bias: vec![0.0; vocabulary] },
            embedding,
        })
    }

    /// The same model, in which a matrix `[width, width]` stands between its last norm and its logits.
    ///
    /// # Errors
    /// The product of both is refused.
    pub fn with_between(&self, between: &[f32]) -> Result<Arc<Self>> {
        let size = self.logits.size;
        let mut weight = vec![0.0; size[0] * size[1]];
        // Logits have no bias, so that this is the product alone.
        self.logits.apply(size[0], between, &mut weight)?;
        Ok(Arc::new(Self {
            width: self.width,
            embedding: self.embedding.clone(),
            positions: self.positions.clone(),
            layers: Arc::clone(&self.layers),
            last: self.last.clone(),
            logits: Linear { size, weight, bias: self.logits.bias.clone() },
        }))
    }

    /// Bytes of the matrices of the first `depth` layers, and of the one that logits come of: each token reads them all.
    pub fn matrix_bytes(&self, depth: usize) -> usize {
        let bytes = |linear: &Linear| size_of_val(linear.weight.as_slice());
        let of = |layer: &Layer| [&layer.qkv, &layer.merge, &layer.up, &layer.down].map(bytes).iter().sum::<usize>();
        self.layers.iter().take(depth).map(of).sum::<usize>() + bytes(&self.logits)
    }

    /// Positions that the model knows.
    pub fn context(&self) -> usize {
        self.positions.len() / self.width
    }
}

impl Room {
    /// Room for a pass over so many positions of which so many logits are wanted.
    fn reserve(&mut self, weights: &Weights, rows: usize, wanted: usize) {
        let numbers = |room: &mut Vec<f32>, least: usize| room.resize(room.len().max(least), 0.0);
        for room in [&mut self.stream, &mut self.normed, &mut self.mixed] {
            numbers(room, rows * weights.width);
        }
        numbers(&mut self.qkv, 3 * rows * weights.width);
        numbers(&mut self.wide, 4 * rows * weights.width);
        numbers(&mut self.scores, weights.context());
        numbers(&mut self.logits, wanted * weights.logits.size[1]);
    }
}

impl<C: Cache> Gpt2<C> {
    /// The first `depth` layers of a model, with what makes the cache of a text.
    pub fn new(weights: &Arc<Weights>, depth: usize, text: impl Fn() -> C + 'static) -> Self {
        Self { weights: Arc::clone(weights), depth, room: Room::default(), text: Box::new(text) }
    }

    /// A pass, as [`Model::pass`], which also gives what the logits are made of, `[Σ wanted, width]`, before these.
    ///
    /// # Errors
    /// As [`rows_of`].
    pub fn seen(&mut self, texts: &mut [C], parts: &[Part<'_>]) -> Result<[&[f32]; 2]> {
        let rows = rows_of(texts, parts, self.vocabulary())?;
        let wanted: usize = parts.iter().map(|part| part.wanted).sum();
        let Self { weights, depth, room, .. } = self;
        let width = weights.width;
        room.reserve(weights, rows, wanted);
        let Room { stream, normed, qkv, mixed, wide, scores, logits } = room;
        let (stream, normed) = (&mut stream[..rows * width], &mut normed[..rows * width]);
        let read = parts.iter().flat_map(|part| part.tokens.iter().zip(texts[part.text].positions()..));
        for (to, (token, place)) in stream.chunks_exact_mut(width).zip(read) {
            to.copy_from_slice(&weights.embedding[token * width..][..width]);
            add(to, &weights.positions[place * width..][..width]);
        }
        for (number, layer) in weights.layers.iter().take(*depth).enumerate() {
            layer.before_attention.apply(stream, normed);
            layer.qkv.apply(rows, normed, qkv)?;
            let mut both = qkv.chunks_exact(3 * width).zip(mixed.chunks_exact_mut(width));
            for part in parts {
                let text = &mut texts[part.text];
                let first = text.positions();
                for (place, (qkv, out)) in (first..first + part.tokens.len()).zip(&mut both) {
                    text.attend(number, place, qkv, scores, out);
                }
            }
            layer.merge.apply(rows, mixed, normed)?;
            add(stream, normed);
            layer.before_wide.apply(stream, normed);
            layer.up.apply(rows, normed, wide)?;
            wide[..rows * 4 * width].iter_mut().for_each(|number| *number = gelu(*number));
            layer.down.apply(rows, wide, normed)?;
            add(stream, normed);
        }
        let (mut end, mut taken) = (0, 0);
        for Part { text, tokens, wanted } in parts {
            texts[*text].advance(tokens.len());
            end += tokens.len();
            weights.last.apply(&stream[(end - wanted) * width..end * width], &mut normed[taken * width..]);
            taken += wanted;
        }
        let logits = &mut logits[..wanted * weights.logits.size[1]];
        weights.logits.apply(wanted, normed, logits)?;
        Ok([&normed[..wanted * width], &*logits])
    }
}

impl<C: Cache> Model for Gpt2<C> {
    type Text = C;

    fn vocabulary(&self) -> usize {
        self.weights.logits.size[1]
    }

    fn text(&self) -> C {
        (self.text)()
    }

    fn pass(&mut self, texts: &mut [C], parts: &[Part<'_>]) -> Result<&[f32]> {
        let [_, logits] = self.seen(texts, parts)?;
        Ok(logits)
    }
}
