//! The loss of a batch, forward and back.

use std::slice::{from_mut, from_ref};

use benchbook_simd::{self as simd, Elementwise, Forward, Gradients, Heads, Isa, Norm, NormBackward, Result, Rotary};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::training::LlamaTrainingParams;

use super::layout::{DOWN, EMBEDDING, GATE_UP, LAST_NORM, Layout, Matrix, NORMS, OUT, QKV};
use crate::flex::training::casts::{Casts, Scaling};
use crate::flex::training::keeping::{Checkpoints, Keeping};
use crate::flex::training::layered::{Layered, Passes, Shape};
use crate::flex::training::products::{Linear, Logits};

/// What products of a layer give.
pub struct Heavy {
    before: Vec<f32>,
    /// Query and key, turned, and value, `[batch, heads, seq, head_dim]` each.
    heads: [Vec<f32>; 3],
    middle: Vec<f32>,
    /// Gate and up beside each other, `[tokens, 2 · hidden]`.
    both: Vec<f32>,
}

impl Heavy {
    fn numbers(&self) -> usize {
        let Self { before, heads: [query, key, value], middle, both } = self;
        [before, query, key, value, middle, both].map(Vec::len).iter().sum()
    }
}

/// What is made of these without a product by weights.
pub struct Light {
    normed: Vec<f32>,
    /// What attention gives, `[batch, heads, seq, head_dim]`.
    mixed: Vec<f32>,
    /// `[batch, heads, seq]`
    sums: Vec<f32>,
    merged: Vec<f32>,
    normed_again: Vec<f32>,
    opened: Vec<f32>,
}

impl Light {
    fn numbers(&self) -> usize {
        let Self { normed, mixed, sums, merged, normed_again, opened } = self;
        [normed, mixed, sums, merged, normed_again, opened].map(Vec::len).iter().sum()
    }
}

/// Angles, and memory that each layer uses anew.
pub struct Room {
    /// Forward and back.
    rotary: [Rotary; 2],
    /// `[tokens, width]`
    narrow: Vec<f32>,
    /// Queries, keys and values, or their gradients, beside each other.
    triple: Vec<f32>,
    /// The same by heads: before they are turned, or their gradients.
    heads: [Vec<f32>; 3],
    /// The same, turned back.
    back: [Vec<f32>; 3],
    /// The gradient of what attention gives, in rows and by heads.
    mixed: [Vec<f32>; 2],
    /// `[tokens, hidden]`
    opened: Vec<f32>,
    /// `[tokens, 2 · hidden]`
    both: Vec<f32>,
    /// Columns of factors and of results.
    turned: [Vec<f32>; 3],
}

/// A LLaMA.
pub type Model = Layered<Layout, Heavy, Light, Room>;

impl Model {
    /// A model with these weights.
    ///
    /// # Errors
    /// Heads of an odd width.
    pub fn new(params: &LlamaTrainingParams, weights: Vec<f32>, keeping: Keeping, scaling: Scaling) -> Result<Self> {
        let LlamaTrainingParams { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, batch, seq, .. } =
            *params;
        let (tokens, isa) = (batch * seq, Isa::detect());
        let [query, kv] = params.projected();
        let zeros = |of_token: usize| vec![0.0_f32; tokens * of_token];
        let parts = || [query, kv, kv].map(zeros);
        let heavy = |_| Heavy { before: zeros(width), heads: parts(), middle: zeros(width), both: zeros(2 * hidden) };
        let light = |_| Light {
            normed: zeros(width),
            mixed: zeros(query),
            sums: zeros(heads),
            merged: zeros(query),
            normed_again: zeros(width),
            opened: zeros(hidden),
        };
        let checkpoints = Checkpoints::new(keeping, layers, tokens * width);
        let [heavies, lights] = checkpoints.places();
        let widest = width.max(params.row()).max(2 * hidden);
        let rotary = Rotary::new(seq, head_dim, params.rotary_base as f64)?;
        Ok(Self {
            shape: Shape {
                heads: Heads { batch, heads, kv_heads, seq_q: seq, seq_kv: seq, head_dim },
                width,
                hidden,
                isa,
            },
            layers,
            layout: Layout::of(params),
            grads: vec![0.0; weights.len()],
            weights,
            casts: Casts::new(scaling, 4 * layers, isa),
            checkpoints,
            heavy: (0..heavies).map(heavy).collect(),
            light: (0..lights).map(light).collect(),
            stream: zeros(width),
            grad: zeros(width),
            logits: Logits::new(tokens, vocabulary),
            room: Room {
                rotary: [rotary.clone(), rotary.reversed()],
                narrow: zeros(width),
                triple: zeros(params.row()),
                heads: parts(),
                back: parts(),
                mixed: [query; 2].map(zeros),
                opened: zeros(hidden),
                both: zeros(2 * hidden),
                turned: [widest; 3].map(zeros),
            },
        })
    }
}

impl Passes for Model {
    fn embed(&mut self, given: &[i32]) -> Result<()> {
        let Shape { width, isa, .. } = self.shape;
        let table = &self.weights[self.layout.tensor(EMBEDDING)];
        simd::embedding(&simd::Embedding { width, table, ids: given, isa }, &mut self.stream)
    }

    fn head(&mut self, wanted: &[i32]) -> Result<f64> {
        let Self { shape: Shape { width, isa, .. }, layout, weights, grads, stream, grad, room, .. } = self;
        let (width, isa, gain) = (*width, *isa, layout.tensor(LAST_NORM));
        let Room { narrow, turned, .. } = room;
        let norm = Norm { width, input: stream, gain: &weights[gain.clone()], epsilon: EPSILON, isa };
        simd::rms_norm(&norm, narrow)?;
        let table = layout.tensor(EMBEDDING);
        let of_table = &mut grads[table.clone()];
        let loss = self.logits.loss(isa, &weights[table], wanted, narrow, &mut turned[0], of_table)?;
        grad.fill(0.0);
        let norm =
            NormBackward { width, input: stream, gain: &weights[gain.clone()], grad: narrow, epsilon: EPSILON, isa };
        simd::rms_norm_backward(&norm, grad, &mut grads[gain])?;
        Ok(loss)
    }

    fn forward(&mut self, layer: usize) -> Result<()> {
        let Self { shape, layout, weights, casts, stream, room, .. } = self;
        let (heavy_at, light_at) = (layer % self.heavy.len(), layer % self.light.len());
        let (heavy, light) = (&mut self.heavy[heavy_at], &mut self.light[light_at]);
        let of = Of { shape: *shape, layout, weights, layer };
        let (isa, seq, rotary) = (shape.isa, shape.heads.seq_q, &room.rotary[0]);
        heavy.before.copy_from_slice(stream);
        of.norm(0, stream, &mut light.normed)?;
        of.linear(casts, QKV, &light.normed, &mut room.triple)?;
        shape.by_heads().split(&room.triple, &mut room.heads);
        let [query, key, value] = &mut heavy.heads;
        rotary.rotate(isa, seq, 0, &room.heads[0], query)?;
        rotary.rotate(isa, seq, 0, &room.heads[1], key)?;
        value.copy_from_slice(&room.heads[2]);
        of.mix(&heavy.heads, light)?;
        of.linear(casts, OUT, &light.merged, &mut room.narrow)?;
        simd::elementwise(isa, Elementwise::Sum([&heavy.before, &room.narrow]), &mut heavy.middle)?;
        of.norm(1, &heavy.middle, &mut light.normed_again)?;
        of.linear(casts, GATE_UP, &light.normed_again, &mut heavy.both)?;
        simd::swiglu(isa, shape.hidden, &heavy.both, &mut light.opened)?;
        of.linear(casts, DOWN, &light.opened, &mut room.narrow)?;
        simd::elementwise(isa, Elementwise::Sum([&heavy.middle, &room.narrow]), stream)
    }

    fn again(&mut self, layer: usize) -> Result<()> {
        let Self { shape, layout, weights, .. } = self;
        let (heavy, light) = (&self.heavy[layer], &mut self.light[0]);
        let of = Of { shape: *shape, layout, weights, layer };
        of.norm(0, &heavy.before, &mut light.normed)?;
        of.mix(&heavy.heads, light)?;
        of.norm(1, &heavy.middle, &mut light.normed_again)?;
        simd::swiglu(shape.isa, shape.hidden, &heavy.both, &mut light.opened)
    }

    fn backward(&mut self, layer: usize) -> Result<()> {
        let Self { shape, layout, weights, grads, casts, grad, room, .. } = self;
        let (heavy, light) = (&self.heavy[layer % self.heavy.len()], &self.light[layer % self.light.len()]);
        let of = Of { shape: *shape, layout, weights, layer };
        let (isa, seq) = (shape.isa, shape.heads.seq_q);
        let Room {
            rotary: [_, rotary],
            narrow,
            triple,
            heads: [of_query, of_key, _],
            back,
            mixed: [merged, mixed],
            opened,
            both,
            turned,
        } = room;
        of.linear_back(casts, turned, DOWN, [&light.opened, &grad[..]], opened, grads)?;
        simd::swiglu_backward(isa, shape.hidden, &heavy.both, opened, both)?;
        of.linear_back(casts, turned, GATE_UP, [&light.normed_again, &both[..]], narrow, grads)?;
        of.norm_back(1, [&heavy.middle, &narrow[..]], grad, grads)?;
        of.linear_back(casts, turned, OUT, [&light.merged, &grad[..]], merged, grads)?;
        shape.by_heads().split(merged, from_mut(mixed));
        let forward = Forward { out: &light.mixed, lse: &light.sums, grad: mixed };
        let [query, key, value] = &mut *back;
        // The gradient of values is at its place, those of queries and keys are turned back first.
        let mut found = Gradients { query: of_query, key: of_key, value };
        simd::attention_backward(&shape.attend(&heavy.heads), &forward, &mut found)?;
        rotary.rotate(isa, seq, 0, of_query, query)?;
        rotary.rotate(isa, seq, 0, of_key, key)?;
        shape.by_heads().join(&back[..], triple);
        of.linear_back(casts, turned, QKV, [&light.normed, &triple[..]], narrow, grads)?;
        of.norm_back(0, [&heavy.before, &narrow[..]], grad, grads)
    }

    fn embed_back(&mut self, given: &[i32]) {
        let width = self.shape.width;
        let of_table = &mut self.grads[self.layout.tensor(EMBEDDING)];
        for (id, grad) in given.iter().zip(self.grad.chunks_exact(width)) {
            of_table[*id as usize * width..][..width].iter_mut().zip(grad).for_each(|(to, grad)| *to += grad);
        }
    }

    fn waiting(&self) -> usize {
        let heavy: usize = self.heavy.iter().map(Heavy::numbers).sum();
        let light: usize = self.light.iter().map(Light::numbers).sum();
        heavy + light
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
        let gain = &self.weights[self.layout.part(NORMS[which], self.layer)];
        simd::rms_norm(&Norm { width, input, gain, epsilon: EPSILON, isa }, out)
    }

    /// The same back: adds the gradient of its input to `to`.
    fn norm_back(&self, which: usize, [input, grad]: [&[f32]; 2], to: &mut [f32], grads: &mut [f32]) -> Result<()> {
        let Shape { width, isa, .. } = self.shape;
        let gain = self.layout.part(NORMS[which], self.layer);
        let norm = NormBackward { width, input, gain: &self.weights[gain.clone()], grad, epsilon: EPSILON, isa };
        simd::rms_norm_backward(&norm, to, &mut grads[gain])
    }

    /// A product of this layer.
    fn product<'c>(&self, casts: &'c mut Casts, matrix: Matrix) -> Linear<'c> {
        let (isa, number) = (self.shape.isa, 4 * self.layer + matrix.number);
        Linear { isa, casts, number, size: self.layout.size(matrix) }
    }

    fn linear(&self, casts: &mut Casts, matrix: Matrix, input: &[f32], out: &mut [f32]) -> Result<()> {
        let weights = &self.weights[self.layout.matrix(matrix, self.layer)];
        self.product(casts, matrix).forward(input, weights, out)
    }

    /// The same back: the gradient of its input into `out`, and that of its weights.
    fn linear_back(
        &self,
        casts: &mut Casts,
        turned: &mut [Vec<f32>; 3],
        matrix: Matrix,
        [input, grad]: [&[f32]; 2],
        out: &mut [f32],
        grads: &mut [f32],
    ) -> Result<()> {
        let weights = self.layout.matrix(matrix, self.layer);
        let parts = [input, &self.weights[weights.clone()], grad];
        self.product(casts, matrix).backward(turned, parts, out, &mut grads[weights])
    }

    /// What attention makes of these heads, also in rows.
    fn mix(&self, heads: &[Vec<f32>; 3], light: &mut Light) -> Result<()> {
        simd::attention_with_sums(&self.shape.attend(heads), &mut light.mixed, &mut light.sums)?;
        self.shape.by_heads().join(from_ref(&light.mixed), &mut light.merged);
        Ok(())
    }
}
