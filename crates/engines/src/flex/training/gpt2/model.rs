//! The loss of a batch, forward and back.

use std::slice::{from_mut, from_ref};

use benchbook_simd::{
    self as simd, Attend, Elementwise, Forward, Gradients, Heads, Isa, Norm, NormBackward, Product, Result,
};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::training::Gpt2TrainingParams;

use super::casts::{Casts, Scaling};
use super::layout::{DOWN, Layout, MERGE, Matrix, QKV, UP, WPE, WTE, both};

/// Which numbers of the pass forward wait for the pass back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// All that are needed.
    All,
    /// The stream before every so many layers, from which the others are computed again (Chen et al., arXiv 1604.06174).
    Every(usize),
    /// What products and attention give; norms, GELU and the order of heads are computed again (Korthikanti et al., arXiv 2205.05198,
    /// section 4.2).
    Products,
}

/// What products and attention of a layer give.
struct Heavy {
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
struct Light {
    normed: Vec<f32>,
    merged: Vec<f32>,
    normed_again: Vec<f32>,
    opened: Vec<f32>,
}

/// Memory that each layer uses anew.
struct Room {
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

/// Sizes of a pass.
#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    seq: usize,
    heads: usize,
    width: usize,
    isa: Isa,
}

/// A model, its gradients, and what waits for the pass back.
pub struct Model {
    shape: Shape,
    layers: usize,
    vocabulary: usize,
    pub layout: Layout,
    pub weights: Vec<f32>,
    pub grads: Vec<f32>,
    pub casts: Casts,
    keeping: Keeping,
    heavy: Vec<Heavy>,
    light: Vec<Light>,
    starts: Vec<Vec<f32>>,
    stream: Vec<f32>,
    grad: Vec<f32>,
    /// `[tokens, vocabulary]`, and its columns.
    logits: [Vec<f32>; 2],
    losses: Vec<f32>,
    room: Room,
}

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
        let (heavies, lights, starts) = match keeping {
            Keeping::All => (layers, layers, 0),
            Keeping::Every(some) => (some.min(layers), some.min(layers), layers.div_ceil(some)),
            Keeping::Products => (layers, 1, 0),
        };
        Self {
            shape: Shape { batch, seq, heads, width, isa },
            layers,
            vocabulary,
            layout: Layout::of(params),
            grads: zeros(weights.len()),
            weights,
            casts: Casts::new(scaling, 4 * layers, isa),
            keeping,
            heavy: (0..heavies).map(heavy).collect(),
            light: (0..lights).map(light).collect(),
            starts: (0..starts).map(|_| zeros(tokens * width)).collect(),
            stream: zeros(tokens * width),
            grad: zeros(tokens * width),
            logits: [(); 2].map(|()| zeros(tokens * vocabulary)),
            losses: zeros(tokens),
            room: Room {
                narrow: zeros(tokens * width),
                triple: zeros(3 * tokens * width),
                heads: [(); 4].map(|()| zeros(tokens * width)),
                wide: zeros(4 * tokens * width),
                turned: [(); 3].map(|()| zeros(4 * tokens * width)),
            },
        }
    }

    /// Bytes that wait for the pass back.
    pub fn kept_bytes(&self) -> usize {
        let Shape { batch, seq, heads, width, .. } = self.shape;
        let tokens = batch * seq;
        // Of a layer ten widths and a number for each head; seven widths are made of them.
        let heavy = self.heavy.len() * tokens * (10 * width + heads);
        let light = self.light.len() * tokens * 7 * width;
        size_of::<f32>() * (heavy + light + self.starts.len() * tokens * width)
    }

    /// The mean cross-entropy of the tokens that follow each of `ids` `[batch, seq + 1]`, in nats; its gradients are left.
    ///
    /// # Errors
    /// A token that there is not.
    pub fn loss(&mut self, ids: &[i32]) -> Result<f64> {
        let Shape { seq, width, .. } = self.shape;
        let given: Vec<i32> = ids.chunks_exact(seq + 1).flat_map(|text| text[..seq].iter().copied()).collect();
        let wanted: Vec<i32> = ids.chunks_exact(seq + 1).flat_map(|text| text[1..].iter().copied()).collect();
        self.embed(&given)?;
        for layer in 0..self.layers {
            if let Keeping::Every(some) = self.keeping
                && layer % some == 0
            {
                self.starts[layer / some].copy_from_slice(&self.stream);
            }
            self.forward(layer)?;
        }
        let loss = self.head(&wanted)?;
        for layer in (0..self.layers).rev() {
            self.again(layer)?;
            self.backward(layer)?;
        }
        let (wte, wpe) = (self.layout.tensor(WTE), self.layout.tensor(WPE));
        self.grads[wpe.clone()].fill(0.0);
        for ((place, id), grad) in given.iter().enumerate().zip(self.grad.chunks_exact(width)) {
            for first in [wte.start + *id as usize * width, wpe.start + place % seq * width] {
                self.grads[first..first + width].iter_mut().zip(grad).for_each(|(to, grad)| *to += grad);
            }
        }
        Ok(loss)
    }

    /// Tokens and their places as numbers.
    fn embed(&mut self, given: &[i32]) -> Result<()> {
        let Shape { seq, width, isa, .. } = self.shape;
        let (table, places) = (&self.weights[self.layout.tensor(WTE)], &self.weights[self.layout.tensor(WPE)]);
        simd::embedding(&simd::Embedding { width, table, ids: given, isa }, &mut self.stream)?;
        for (row, place) in self.stream.chunks_exact_mut(width).zip((0..seq).cycle()) {
            row.iter_mut().zip(&places[place * width..]).for_each(|(to, number)| *to += number);
        }
        Ok(())
    }

    /// The last norm, logits and loss; the gradients of all three, and that of the stream before them.
    fn head(&mut self, wanted: &[i32]) -> Result<f64> {
        let Self { shape: Shape { width, isa, .. }, layout, weights, grads, stream, grad, .. } = self;
        let (width, isa, vocabulary, tokens) = (*width, *isa, self.vocabulary, wanted.len());
        let [gain, bias] = layout.norm(2 * self.layers);
        let Room { narrow, turned, .. } = &mut self.room;
        let [logits, columns] = &mut self.logits;
        let norm = Norm { width, input: stream, gain: &weights[gain.clone()], epsilon: EPSILON, isa };
        simd::layer_norm(&norm, &weights[bias.clone()], narrow)?;
        let head = &weights[layout.tensor(WTE)];
        // Weights are a left factor as they lie.
        let turned = &mut turned[0][..tokens * width];
        simd::transpose([tokens, width], narrow, turned)?;
        matmul(isa, [vocabulary, width, tokens], [head, &*turned], columns)?;
        simd::transpose([vocabulary, tokens], columns, logits)?;
        simd::cross_entropy(isa, vocabulary, wanted, logits, &mut self.losses)?;
        simd::transpose([tokens, vocabulary], logits, columns)?;
        matmul(isa, [vocabulary, tokens, width], [&columns[..], &narrow[..]], &mut grads[layout.tensor(WTE)])?;
        matmul(isa, [tokens, vocabulary, width], [&logits[..], head], narrow)?;
        grad.fill(0.0);
        let norm =
            NormBackward { width, input: stream, gain: &weights[gain.clone()], grad: narrow, epsilon: EPSILON, isa };
        simd::layer_norm_backward(&norm, grad, both(grads, [gain, bias]))?;
        Ok(self.losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / tokens as f64)
    }

    /// A layer forward.
    fn forward(&mut self, layer: usize) -> Result<()> {
        let Self { shape, layout, weights, casts, stream, room, .. } = self;
        let (heavy_at, light_at) = (layer % self.heavy.len(), layer % self.light.len());
        let (heavy, light) = (&mut self.heavy[heavy_at], &mut self.light[light_at]);
        let of = Of { shape: *shape, layout, weights, layer };
        heavy.before.copy_from_slice(stream);
        of.norm(0, stream, &mut light.normed)?;
        of.linear(casts, QKV, &light.normed, &mut room.triple)?;
        shape.split(&room.triple, &mut heavy.heads);
        simd::attention_with_sums(&of.attend(&heavy.heads), &mut heavy.mixed, &mut heavy.sums)?;
        shape.join(from_ref(&heavy.mixed), &mut light.merged);
        of.linear(casts, MERGE, &light.merged, &mut room.narrow)?;
        simd::elementwise(shape.isa, Elementwise::Sum([&heavy.before, &room.narrow]), &mut heavy.middle)?;
        of.norm(1, &heavy.middle, &mut light.normed_again)?;
        of.linear(casts, UP, &light.normed_again, &mut heavy.wide)?;
        simd::gelu(shape.isa, &heavy.wide, &mut light.opened)?;
        of.linear(casts, DOWN, &light.opened, &mut room.narrow)?;
        simd::elementwise(shape.isa, Elementwise::Sum([&heavy.middle, &room.narrow]), stream)
    }

    /// Computes again what the pass back of a layer needs and nobody has kept.
    fn again(&mut self, layer: usize) -> Result<()> {
        match self.keeping {
            Keeping::All => Ok(()),
            Keeping::Products => {
                let Self { shape, layout, weights, .. } = self;
                let (heavy, light) = (&self.heavy[layer], &mut self.light[0]);
                let of = Of { shape: *shape, layout, weights, layer };
                of.norm(0, &heavy.before, &mut light.normed)?;
                shape.join(from_ref(&heavy.mixed), &mut light.merged);
                of.norm(1, &heavy.middle, &mut light.normed_again)?;
                simd::gelu(shape.isa, &heavy.wide, &mut light.opened)
            }
            Keeping::Every(some) => {
                // The last stretch is still there; of every other one, the last layer comes first.
                let last = self.layers.div_ceil(some) - 1;
                let (stretch, ends) = (layer / some, layer % some == some - 1);
                if stretch == last || !ends {
                    return Ok(());
                }
                self.stream.copy_from_slice(&self.starts[stretch]);
                (stretch * some..=layer).try_for_each(|layer| self.forward(layer))
            }
        }
    }

    /// A layer back: the gradient of the stream after it becomes that before it.
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
        shape.split(narrow, from_mut(mixed));
        let forward = Forward { out: &heavy.mixed, lse: &heavy.sums, grad: mixed };
        simd::attention_backward(&of.attend(&heavy.heads), &forward, &mut Gradients { query, key, value })?;
        shape.join(&heads[..3], triple);
        of.linear_back(casts, turned, QKV, [&light.normed, &triple[..]], narrow, grads)?;
        of.norm_back(0, [&heavy.before, &narrow[..]], grad, grads)
    }
}

fn matmul(isa: Isa, size: [usize; 3], [left, right]: [&[f32]; 2], out: &mut [f32]) -> Result<()> {
    simd::matmul(&Product { size, left, right, isa }, out)
}

impl Shape {
    /// Where the part of a head begins that belongs to a token.
    fn place(&self, token: usize, head: usize) -> usize {
        let Self { seq, heads, width, .. } = *self;
        ((token / seq * heads + head) * seq + token % seq) * (width / heads)
    }

    /// Rows of as many parts as there are arrays, a width each, as arrays by heads, `[batch, heads, seq, head_dim]`.
    fn split(&self, rows: &[f32], to: &mut [Vec<f32>]) {
        let (width, row) = (self.width, to.len() * self.width);
        for (part, to) in to.iter_mut().enumerate() {
            for (token, from) in rows.chunks_exact(row).enumerate() {
                for (head, from) in from[part * width..][..width].chunks_exact(width / self.heads).enumerate() {
                    to[self.place(token, head)..][..from.len()].copy_from_slice(from);
                }
            }
        }
    }

    /// The other way round.
    fn join(&self, from: &[Vec<f32>], rows: &mut [f32]) {
        let (width, row) = (self.width, from.len() * self.width);
        for (part, from) in from.iter().enumerate() {
            for (token, to) in rows.chunks_exact_mut(row).enumerate() {
                for (head, to) in to[part * width..][..width].chunks_exact_mut(width / self.heads).enumerate() {
                    to.copy_from_slice(&from[self.place(token, head)..][..to.len()]);
                }
            }
        }
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

    /// A product and its bias.
    fn linear(&self, casts: &mut Casts, matrix: Matrix, input: &[f32], out: &mut [f32]) -> Result<()> {
        let ([weights, bias], [from, to]) = (self.layout.linear(matrix, self.layer), self.layout.size(matrix));
        let factors = casts.forward(4 * self.layer + matrix.number, input, &self.weights[weights])?;
        matmul(self.shape.isa, [input.len() / from, from, to], factors, out)?;
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
        let ([weights, bias], [from, to]) = (self.layout.linear(matrix, self.layer), self.layout.size(matrix));
        let (isa, tokens) = (self.shape.isa, input.len() / from);
        simd::column_sums(to, grad, &mut grads[bias])?;
        let parts = [input, &self.weights[weights.clone()], grad];
        let [input, factors, grad] = casts.backward(4 * self.layer + matrix.number, parts)?;
        let [of_input, of_grad, of_out] = turned;
        let of_input = &mut of_input[..tokens * from];
        simd::transpose([tokens, from], input, of_input)?;
        matmul(isa, [from, tokens, to], [&*of_input, grad], &mut grads[weights])?;
        // Weights are a left factor as they lie.
        let (of_grad, of_out) = (&mut of_grad[..tokens * to], &mut of_out[..tokens * from]);
        simd::transpose([tokens, to], grad, of_grad)?;
        matmul(isa, [from, to, tokens], [factors, &*of_grad], of_out)?;
        simd::transpose([from, tokens], of_out, out)
    }

    /// Causal attention of these heads.
    fn attend<'h>(&self, heads: &'h [Vec<f32>; 3]) -> Attend<'h> {
        let Shape { batch, seq, heads: count, width, isa } = self.shape;
        let [query, key, value] = heads;
        let (seq_q, seq_kv, head_dim) = (seq, seq, width / count);
        Attend {
            heads: Heads { batch, heads: count, kv_heads: count, seq_q, seq_kv, head_dim },
            query,
            key,
            value,
            scale: None,
            causal: true,
            window: None,
            mask: None,
            isa,
        }
    }
}
