//! A model of layers in training: what it holds, and the loss of a batch, forward and back, whatever its layers are.

use benchbook_simd::{Attend, Heads, Isa, Result};

use super::casts::Casts;
use super::heads::ByHeads;
use super::keeping::{Checkpoints, Keeping};
use super::products::Logits;
use super::steps::{Places, Trained};

/// Sizes of a pass.
#[derive(Clone, Copy)]
pub struct Shape {
    pub heads: Heads,
    pub width: usize,
    /// Numbers between the products of the feed-forward network.
    pub hidden: usize,
    pub isa: Isa,
}

impl Shape {
    /// Rows of heads beside each other.
    pub fn by_heads(&self) -> ByHeads {
        let Heads { batch, seq_q: seq, head_dim, .. } = self.heads;
        ByHeads { batch, seq, head_dim }
    }

    /// Causal attention of query, key and value.
    pub fn attend<'h>(&self, [query, key, value]: &'h [Vec<f32>; 3]) -> Attend<'h> {
        let Self { heads, isa, .. } = *self;
        Attend { heads, query, key, value, scale: None, causal: true, window: None, mask: None, isa }
    }
}

/// A model, its gradients, and what waits for the pass back: its tensors lie as `L` says; `H` is what products of a layer give, `G` what is
/// made of that without one, `R` memory that each layer uses anew.
pub struct Layered<L, H, G, R> {
    pub(super) shape: Shape,
    pub(super) layers: usize,
    pub(super) layout: L,
    pub(super) weights: Vec<f32>,
    pub(super) grads: Vec<f32>,
    pub(super) casts: Casts,
    pub(super) checkpoints: Checkpoints,
    pub(super) heavy: Vec<H>,
    pub(super) light: Vec<G>,
    /// What goes from layer to layer, and its gradient, `[tokens, width]`.
    pub(super) stream: Vec<f32>,
    pub(super) grad: Vec<f32>,
    pub(super) logits: Logits,
    pub(super) room: R,
}

/// The parts of a pass. They fail for a token that there is not, and for an instruction set that is absent.
pub trait Passes {
    /// Tokens as the stream before the first layer.
    fn embed(&mut self, given: &[i32]) -> Result<()>;

    /// A layer forward.
    fn forward(&mut self, layer: usize) -> Result<()>;

    /// The last norm, logits and loss; the gradients of all three, and that of the stream before them.
    fn head(&mut self, wanted: &[i32]) -> Result<f64>;

    /// Computes again what is made without a product of what those of a layer have given.
    fn again(&mut self, layer: usize) -> Result<()>;

    /// A layer back: the gradient of the stream after it becomes that before it.
    fn backward(&mut self, layer: usize) -> Result<()>;

    /// Adds the gradient of the stream before the first layer to those of what tokens came in by.
    fn embed_back(&mut self, given: &[i32]);

    /// Numbers of layers that wait for the pass back.
    fn waiting(&self) -> usize;
}

impl<L: Places, H, G, R> Trained for Layered<L, H, G, R>
where
    Self: Passes,
{
    type Layout = L;

    fn layout(&self) -> &L {
        &self.layout
    }

    fn grads(&self) -> &[f32] {
        &self.grads
    }

    fn weights_and_grads(&mut self) -> (&mut [f32], &[f32]) {
        (&mut self.weights, &self.grads)
    }

    fn begin(&mut self) {
        self.casts.begin();
    }

    fn loss(&mut self, ids: &[i32]) -> Result<f64> {
        let seq = self.shape.heads.seq_q;
        let given: Vec<i32> = ids.chunks_exact(seq + 1).flat_map(|text| text[..seq].iter().copied()).collect();
        let wanted: Vec<i32> = ids.chunks_exact(seq + 1).flat_map(|text| text[1..].iter().copied()).collect();
        self.embed(&given)?;
        for layer in 0..self.layers {
            self.checkpoints.pass(layer, &self.stream);
            self.forward(layer)?;
        }
        let loss = self.head(&wanted)?;
        for layer in (0..self.layers).rev() {
            for layer in self.checkpoints.again(layer, &mut self.stream) {
                self.forward(layer)?;
            }
            if self.checkpoints.keeping == Keeping::Products {
                self.again(layer)?;
            }
            self.backward(layer)?;
        }
        self.embed_back(&given);
        Ok(loss)
    }

    fn kept_bytes(&self) -> usize {
        size_of::<f32>() * (self.waiting() + self.checkpoints.numbers())
    }
}
