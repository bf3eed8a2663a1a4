//! The loss of a batch, forward and back.

use std::slice::{from_mut, from_ref};

use benchbook_simd::{self as simd, Elementwise, Forward, Gradients, Heads, Isa, Norm, NormBackward, Result};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::training::Gpt2TrainingParams;

use super::layout::{DOWN, Layout, MERGE, Matrix, QKV, UP, WPE, WTE, both};
use crate::flex::training::casts::{Casts, Scaling};
use crate::flex::training::keeping::{Checkpoints, Keeping};
use crate::flex::training::layered::{Layered, Passes, Shape};
use crate::flex::training::products::{Linear, Logits};

/// What products and attention of a layer give.
pub struct Heavy {
    before: Vec<f32>,
    /// Query, key and value, `[batch, heads, seq, head_dim]` each.
    heads: [Vec<f32>; 3],
    mixed: Vec<f32>,
    /// `[batch, heads, seq]`
    sums: Vec<f32>,
    middle: Vec<f32>,
    wide: Vec<f32>,
}

/// What is made of these without a product.
pub struct Light {
    normed: Vec<f32>,
    merged: Vec<f32>,
    normed_again: Vec<f32>,
    opened: Vec<f32>,
}

/// Memory that each layer uses anew.
pub struct Room {
    /// `[tokens, width]`
    narrow: Vec<f32>,
    /// Query, key and value, or their gradients, beside each other.
    triple: Vec<f32>,
    heads: [Vec<f32>; 4],
    /// `[tokens, 4 · width]`
    wide: Vec<f32>,
    /// Columns of factors and of results.
    turned: [Vec<f32>; 3],
}

/// A GPT-2.
pub type Model = Layered<Layout, Heavy, Light, Room>;

impl Model {
    /// A model with these weights.
    pub fn new(params: &Gpt2TrainingParams, weights: Vec<f32>, keeping: Keeping, scaling: Scaling) -> Self {
        let Gpt2TrainingParams { layers, heads, width, vocabulary, batch, seq, .. } = *params;
        let (tokens, isa) = (batch * seq, Isa::detect());
        let zeros = |count: usize| vec![0.0_f32; count];
        let heavy = |_| Heavy {
            before: zeros(tokens * width),
            heads: [(); 3].map(|()| zeros(tokens * width)),
            mixed: zeros(tokens * width),
            sums: zeros(tokens * heads),
            middle: zeros(tokens * width),
            wide: zeros(4 * tokens * width),
        };
        let light = |_| Light {
            normed: zeros(tokens * width),
            merged: zeros(tokens * width),
            normed_again: zeros(tokens * width),
            opened: zeros(4 * tokens * width),
        };
        let checkpoints = Checkpoints::new(keeping, layers, tokens * width);
        let [heavies, lights] = checkpoints.places();
        Self {
            shape: Shape {
                heads: Heads { batch, heads, kv_heads: heads, seq_q: seq, seq_kv: seq, head_dim: width / heads },
                width,
                hidden: 4 * width,
                isa,
            },
            layers,
            layout: Layout::of(params),
            grads: zeros(weights.len()),
            weights,
            casts: Casts::new(scaling, 4 * layers, isa),
            checkpoints,
            heavy: (0..heavies).map(heavy).collect(),
            light: (0..lights).map(light).collect(),
            stream: zeros(tokens * width),
            grad: zeros(tokens * width),
            logits: Logits::new(tokens, vocabulary),
            room: Room {
                narrow: zeros(tokens * width),
                triple: zeros(3 * tokens * width),
                heads: [(); 4].map(|()| zeros(tokens * width)),
                wide: zeros(4 * tokens * width),
                turned: [(); 3].map(|()| zeros(4 * tokens * width)),
            },
        }
    }
}

impl Passes for Model {
    fn embed(&mut self, given: &[i32]) -> Result<()> {
        let Shape { heads: Heads { seq_q: seq, .. }, width, isa, .. } = self.shape;
        let (table, places) = (&self.weights[self.layout.tensor(WTE)], &self.weights[self.layout.tensor(WPE)]);
        simd::embedding(&simd::Embedding { width, table, ids: given, isa }, &mut self.stream)?;
        for (row, place) in self.stream.chunks_exact_mut(width).zip((0..seq).cycle()) {
            row.iter_mut().zip(&places[place * width..]).for_each(|(to, number)| *to += number);
        }
        Ok(())
    }

    fn head(&mut self, wanted: &[i32]) -> Result<f64> {
        let Self { shape: Shape { width, isa, .. }, layout, weights, grads, stream, grad, .. } = self;
        let (width, isa) = (*width, *isa);
        let [gain, bias] = layout.norm(2 * self.layers);
        let Room { narrow, turned, .. } = &mut self.room;
        let norm = Norm { width, input: stream, gain: &weights[gain.clone()], epsilon: EPSILON, isa };
        simd::layer_norm(&norm, &weights[bias.clone()], narrow)?;
        let table = layout.tensor(WTE);
        let of_table = &mut grads[table.clone()];
        let loss = self.logits.loss(isa, &weights[table], wanted, narrow, &mut turned[0], of_table)?;
        grad.fill(0.0);
        let norm =
            NormBackward { width, input: stream, gain: &weights[gain.clone()], grad: narrow, epsilon: EPSILON, isa };
        simd::layer_norm_backward(&norm, grad, both(grads, [gain, bias]))?;
        Ok(loss)
    }

    fn forward(&mut self, layer: usize) -> Result<()> {
        let Self { shape, layout, weights, casts, stream, room, .. } = self;
        let (heavy_at, light_at) = (layer % self.heavy.len(), layer % self.light.len());
        let (heavy, light) = (&mut self.heavy[heavy_at], &mut self.light[light_at]);
        let of = Of { shape: *shape, layout, weights, layer };
        heavy.before.copy_from_slice(stream);
        of.norm(0, stream, &mut light.normed)?;
        of.linear(casts, QKV, &light.normed, &mut room.triple)?;
        shape.by_heads().split(&room.triple, &mut heavy.heads);
        simd::attention_with_sums(&shape.attend(&heavy.heads), &mut heavy.mixed, &mut heavy.sums)?;
        shape.by_heads().join(from_ref(&heavy.mixed), &mut light.merged);
        of.linear(casts, MERGE, &light.merged, &mut room.narrow)?;
        simd::elementwise(shape.isa, Elementwise::Sum([&heavy.before, &room.narrow]), &mut heavy.middle)?;
        of.norm(1, &heavy.middle, &mut light.normed_again)?;
        of.linear(casts, UP, &light.normed_again, &mut heavy.wide)?;
        simd::gelu(shape.isa, &heavy.wide, &mut light.opened)?;
        of.linear(casts, DOWN, &light.opened, &mut room.narrow)?;
        simd::elementwise(shape.isa, Elementwise::Sum([&heavy.middle, &room.narrow]), stream)
    }

    fn again(&mut self, layer: usize) -> Result<()> {
        let Self { shape, layout, weights, .. } = self;
        let (heavy, light) = (&self.heavy[layer], &mut self.light[0]);
        let of = Of { shape: *shape, layout, weights, layer };
        of.norm(0, &heavy.before, &mut light.normed)?;
        shape.by_heads().join(from_ref(&heavy.mixed), &mut light.merged);
        of.norm(1, &heavy.middle, &mut light.normed_again)?;
        simd::gelu(shape.isa, &heavy.wide, &mut light.opened)
    }

    fn backward(&mut self, layer: usize) -> Result<()> {
        let Self { shape, layout, weights, grads, casts, grad, room, .. } = self;
        let (heavy, light) = (&self.heavy[layer % self.heavy.len()], &self.light[layer % self.light.len()]);
        let of = Of { shape: *shape, layout, weights, layer };
        let Room { narrow, triple, heads, wide, turned } = room;
        of.linear_back(casts, turned, DOWN, [&light.opened, &grad[..]], wide, grads)?;
        simd::gelu_backward(shape.isa, &heavy.wide, wide)?;
        of.linear_back(casts, turned, UP, [&light.normed_again, &wide[..]], narrow, grads)?;
        of.norm_back(1, [&heavy.middle, &narrow[..]], grad, grads)?;
        of.linear_back(casts, turned, MERGE, [&light.merged, &grad[..]], narrow, grads)?;
        let [query, key, value, mixed] = &mut *heads;
        shape.by_heads().split(narrow, from_mut(mixed));
        let forward = Forward { out: &heavy.mixed, lse: &heavy.sums, grad: mixed };
        simd::attention_backward(&shape.attend(&heavy.heads), &forward, &mut Gradients { query, key, value })?;
        shape.by_heads().join(&heads[..3], triple);
        of.linear_back(casts, turned, QKV, [&light.normed, &triple[..]], narrow, grads)?;
        of.norm_back(0, [&heavy.before, &narrow[..]], grad, grads)
    }

    fn embed_back(&mut self, given: &[i32]) {
        let Shape { heads: Heads { seq_q: seq, .. }, width, .. } = self.shape;
        let (wte, wpe) = (self.layout.tensor(WTE), self.layout.tensor(WPE));
        self.grads[wpe.clone()].fill(0.0);
        for ((place, id), grad) in given.iter().enumerate().zip(self.grad.chunks_exact(width)) {
            for first in [wte.start + *id as usize * width, wpe.start + place % seq * width] {
                self.grads[first..first + width].iter_mut().zip(grad).for_each(|(to, grad)| *to += grad);
            }
        }
    }

    fn waiting(&self) -> usize {
        let Shape { heads: Heads { batch, heads, seq_q: seq, .. }, width, .. } = self.shape;
        let tokens = batch * seq;
        // Of a layer ten widths and a number for each head; seven widths are made of them.
        self.heavy.len() * tokens * (10 * width + heads) + self.light.len() * tokens * 7 * width
    }
}

/// A layer of a model.
struct Of<'a> {
    shape: Shape,
    layout: &'a Layout,
    weights: &'a [f32],
    layer: usize,
}

impl Of<'_> {
    /// The first or the second norm.
    fn norm(&self, which: usize, input: &[f32], out: &mut [f32]) -> Result<()> {
        let Shape { width, isa, .. } = self.shape;
        let [gain, bias] = self.layout.norm(2 * self.layer + which).map(|part| &self.weights[part]);
        simd::layer_norm(&Norm { width, input, gain, epsilon: EPSILON, isa }, bias, out)
    }

    /// The same back: adds the gradient of its input to `to`.
    fn norm_back(&self, which: usize, [input, grad]: [&[f32]; 2], to: &mut [f32], grads: &mut [f32]) -> Result<()> {
        let Shape { width, isa, .. } = self.shape;
        let [gain, bias] = self.layout.norm(2 * self.layer + which);
        let norm = NormBackward { width, input, gain: &self.weights[gain.clone()], grad, epsilon: EPSILON, isa };
        simd::layer_norm_backward(&norm, to, both(grads, [gain, bias]))
    }

    /// A product of this layer.
    fn product<'c>(&self, casts: &'c mut Casts, matrix: Matrix) -> Linear<'c> {
        let (isa, number) = (self.shape.isa, 4 * self.layer + matrix.number);
        Linear { isa, casts, number, size: self.layout.size(matrix) }
    }

    /// A product and its bias.
    fn linear(&self, casts: &mut Casts, matrix: Matrix, input: &[f32], out: &mut [f32]) -> Result<()> {
        let ([weights, bias], [_, to]) = (self.layout.linear(matrix, self.layer), self.layout.size(matrix));
        self.product(casts, matrix).forward(input, &self.weights[weights], out)?;
        let bias = &self.weights[bias];
        for row in out.chunks_exact_mut(to) {
            row.iter_mut().zip(bias).for_each(|(to, bias)| *to += bias);
        }
        Ok(())
    }

    /// The same back: the gradient of its input into `out`, and those of its weights and bias.
    fn linear_back(
        &self,
        casts: &mut Casts,
        turned: &mut [Vec<f32>; 3],
        matrix: Matrix,
        [input, grad]: [&[f32]; 2],
        out: &mut [f32],
        grads: &mut [f32],
    ) -> Result<()> {
        let ([weights, bias], [_, to]) = (self.layout.linear(matrix, self.layer), self.layout.size(matrix));
        simd::column_sums(to, grad, &mut grads[bias])?;
        let parts = [input, &self.weights[weights.clone()], grad];
        self.product(casts, matrix).backward(turned, parts, out, &mut grads[weights])
    }
}
