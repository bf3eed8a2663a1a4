//! Stacks of layers as tensor operations, one after another.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use benchbook_core::{Array, Inputs, Result};
use benchbook_workloads::mixers::{HybridStackParams, LayerKind};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, IndexingUpdateOp, Tensor};

use crate::flex::attention::attend;
use crate::flex::blocks::{normed, rms_normed};
use crate::flex::mixers::{Tensors, conv, retention, rwkv, scan, silu, ssd};
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::tensor::Target;

/// A stack of layers.
pub struct Stack {
    params: HybridStackParams,
    /// `[batch, seq, width]`
    input: Tensor<3>,
    layers: Vec<Layer>,
}

/// What mixes, and its weights by name, with axes of length 1 before theirs.
struct Layer {
    mixer: Mixer,
    weights: BTreeMap<String, Tensor<4>>,
}

/// The kind of a layer, with what is made of the case before it is timed.
enum Mixer {
    /// `[1, 1, seq, seq]`, true where a position is hidden from an earlier one.
    Attention(Box<Tensor<4, Bool>>),
    Experts,
    FeedForward,
    /// See [`ssd::triangles`].
    Mamba2(Box<[Tensor<4>; 2]>),
    Retention(Box<retention::Decays>),
    Mamba,
    Rwkv4,
    Rwkv7,
    Rwkv6,
}

impl NamedInputs for Stack {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        // Weights stay from call to call.
        (name == "input").then_some(&mut self.input as &mut dyn Rows)
    }
}

/// Puts a stack on a device.
///
/// # Errors
/// None; so is what an implementation is prepared by.
pub fn upload(on: &Target, params: &HybridStackParams, inputs: &Inputs) -> Result<Stack> {
    let seq = params.seq;
    // Layers of a kind share them.
    let decays = LazyCell::new(|| retention::Decays::new(on, &params.retention()));
    let triangles = LazyCell::new(|| ssd::triangles(on));
    // burn's tril_mask is true outside the lower triangle.
    let hidden = LazyCell::new(|| Tensor::<2, Bool>::tril_mask([seq, seq], 0, &on.device).unsqueeze::<4>());
    let layer = |(layer, kind): (usize, LayerKind)| {
        let mixer = match kind {
            LayerKind::Attention => Mixer::Attention(Box::new(Tensor::clone(&hidden))),
            LayerKind::Experts => Mixer::Experts,
            LayerKind::FeedForward => Mixer::FeedForward,
            LayerKind::Mamba2 => Mixer::Mamba2(Box::new(<[Tensor<4>; 2]>::clone(&triangles))),
            LayerKind::Retention => Mixer::Retention(Box::new(retention::Decays::clone(&decays))),
            LayerKind::Mamba => Mixer::Mamba,
            LayerKind::Rwkv4 => Mixer::Rwkv4,
            LayerKind::Rwkv7 => Mixer::Rwkv7,
            LayerKind::Rwkv6 => Mixer::Rwkv6,
        };
        let of_rank_four = |(name, array): (&str, &Array)| {
            let mut shape = [1; 4];
            shape[4 - array.shape().len()..].copy_from_slice(array.shape());
            (name.to_owned(), on.upload_as(array, shape))
        };
        Layer { mixer, weights: params.layer(inputs, layer).iter().map(of_rank_four).collect() }
    };
    let layers = params.kinds().into_iter().enumerate().map(layer).collect();
    Ok(Stack { params: params.clone(), input: on.upload(inputs.get("input")), layers })
}

/// All layers, one after another.
///
/// # Errors
/// A convolution, scan or recurrence refuses its shapes, which it does not.
pub fn stacked(stack: &Stack) -> Result<[Tensor<3>; 1]> {
    let (stream, _) = through(stack)?;
    Ok([stream])
}

/// The same, and the experts that were chosen `[layers of experts, batch · seq, chosen]`, of which there are some.
///
/// # Errors
/// As of [`stacked`].
pub fn stacked_with_choices(stack: &Stack) -> Result<[Tensor<3>; 2]> {
    let (stream, chosen) = through(stack)?;
    Ok([stream, Tensor::cat(chosen, 0)])
}

/// What comes out of the last layer, and of each layer of experts those of each position.
fn through(stack: &Stack) -> Result<(Tensor<3>, Vec<Tensor<3>>)> {
    let HybridStackParams { batch, seq, .. } = stack.params;
    let width = stack.params.width();
    let mut stream = stack.input.clone().reshape([1, 1, batch * seq, width]);
    let mut chosen = Vec::new();
    for layer in &stack.layers {
        let of = Mixing { params: &stack.params, layer };
        let x = rms_normed(stream.clone(), of.weight("gain"));
        stream = stream + of.mixed(x, &mut chosen)?;
    }
    Ok((stream.reshape([batch, seq, width]), chosen))
}

/// A layer at work on rows `[1, 1, batch · seq, width]`.
struct Mixing<'a> {
    params: &'a HybridStackParams,
    layer: &'a Layer,
}

impl Mixing<'_> {
    fn weight(&self, name: &str) -> Tensor<4> {
        self.layer.weights[name].clone()
    }

    fn times(&self, x: &Tensor<4>, name: &str) -> Tensor<4> {
        x.clone().matmul(self.weight(name))
    }

    /// Rows as `[batch, seq, heads, _]`.
    fn by_heads(&self, rows: Tensor<4>, heads: usize) -> Tensor<4> {
        let width = rows.dims()[3] / heads;
        rows.reshape([self.params.batch, self.params.seq, heads, width])
    }

    /// Rows as `[batch, seq, _]`.
    fn by_steps(&self, rows: Tensor<4>) -> Tensor<3> {
        let width = rows.dims()[3];
        rows.reshape([self.params.batch, self.params.seq, width])
    }

    /// A weight `[1, 1, 1, _]` or `[1, 1, _, _]`, with one axis less.
    fn flat(&self, name: &str) -> Tensor<3> {
        let weight = self.weight(name);
        let [_, _, rows, width] = weight.dims();
        weight.reshape([1, rows, width])
    }

    /// Heads of all steps as rows again.
    fn rows<const D: usize>(&self, numbers: Tensor<D>) -> Tensor<4> {
        let positions = self.params.batch * self.params.seq;
        let width = numbers.dims().iter().product::<usize>() / positions;
        numbers.reshape([1, 1, positions, width])
    }

    /// What the layer adds; of experts, those of each position go to `chosen`.
    fn mixed(&self, x: Tensor<4>, chosen: &mut Vec<Tensor<3>>) -> Result<Tensor<4>> {
        let mixed = match &self.layer.mixer {
            Mixer::Attention(hidden) => self.attention(&x, hidden),
            Mixer::Experts => {
                let (given, ids) = self.experts(&x);
                chosen.push(ids);
                return Ok(given);
            }
            Mixer::FeedForward => silu(self.times(&x, "w_gate")) * self.times(&x, "w_up"),
            Mixer::Mamba2(triangles) => self.mamba2(&x, triangles)?,
            Mixer::Retention(decays) => self.retention(&x, decays),
            Mixer::Mamba => self.mamba(&x)?,
            Mixer::Rwkv4 => self.rwkv4(&x)?,
            Mixer::Rwkv7 => self.rwkv7(&x)?,
            Mixer::Rwkv6 => self.rwkv6(&x)?,
        };
        let last = if matches!(self.layer.mixer, Mixer::FeedForward) { "w_down" } else { "w_out" };
        Ok(self.times(&mixed, last))
    }

    fn attention(&self, x: &Tensor<4>, hidden: &Tensor<4, Bool>) -> Tensor<4> {
        let heads = |name: &str| self.by_heads(self.times(x, name), self.params.heads).swap_dims(1, 2);
        let [query, key, value] = ["w_query", "w_key", "w_value"].map(heads);
        self.rows(attend([&query, &key, &value], Some(hidden)).swap_dims(1, 2))
    }

    /// Every position by every expert, of which those that were chosen count, and these `[1, batch · seq, chosen]`.
    fn experts(&self, x: &Tensor<4>) -> (Tensor<4>, Tensor<3>) {
        let HybridStackParams { experts, chosen, .. } = self.params;
        let [_, _, positions, _] = x.dims();
        let (best, ids) = softmax(self.times(x, "w_router"), 3).topk_with_indices(*chosen, 3);
        let shares = best.clone() / best.sum_dim(3);
        let none: Tensor<4> = Tensor::zeros([1, 1, positions, *experts], (&x.device(), x.dtype()));
        let counted = none.scatter(3, ids.clone(), shares, IndexingUpdateOp::Add);
        // `[1, experts, positions, _]`
        let between = silu(self.times(x, "w_gate")) * self.times(x, "w_up");
        let given = self.times(&between, "w_down") * counted.swap_dims(1, 3);
        (given.sum_dim(1), ids.float().reshape([1, positions, *chosen]))
    }

    /// A product through a causal convolution and silu, `[batch, seq, _]`.
    fn convolved(&self, x: &Tensor<4>, [factor, conv, bias]: [&str; 3]) -> Result<Tensor<3>> {
        let x = self.by_steps(self.times(x, factor));
        let [batch, _, channels] = x.dims();
        let (weight, params) = (self.flat(conv), self.params.convolution(channels));
        let start = Tensor::zeros([batch, params.width - 1, channels], (&x.device(), x.dtype()));
        let inputs = Tensors { names: conv::NAMES, all: [x, weight, self.flat(bias), start] };
        let [convolved, _] = conv::by_shifts(&(inputs, params))?;
        Ok(convolved)
    }

    fn mamba2(&self, input: &Tensor<4>, triangles: &[Tensor<4>; 2]) -> Result<Tensor<4>> {
        let heads = 2 * self.params.heads;
        let x = self.convolved(input, ["w_x", "conv_x", "bias_x"])?;
        let b = self.convolved(input, ["w_b", "conv_b", "bias_b"])?;
        let c = self.convolved(input, ["w_c", "conv_c", "bias_c"])?;
        let [batch, seq, _] = x.dims();
        let delta = self.times(input, "w_delta").reshape([1, batch, seq, heads]);
        let shared = |numbers: Tensor<3>| numbers.reshape([batch, seq, 1, self.params.state]);
        let all = [
            x.reshape([batch, seq, heads, self.params.head_dim]),
            delta,
            shared(b),
            shared(c),
            self.weight("delta_bias"),
            self.weight("a_log"),
            self.weight("skip"),
            self.weight("start"),
        ];
        let [mixed, _] = ssd::by_chunks(&Tensors { names: ssd::NAMES, all }, triangles)?;
        let gated = self.rows(mixed) * silu(self.times(input, "w_z"));
        Ok(rms_normed(gated, self.weight("gain_inner")))
    }

    fn retention(&self, x: &Tensor<4>, decays: &retention::Decays) -> Tensor<4> {
        let heads = |name: &str| self.by_heads(self.times(x, name), self.params.heads);
        let [query, key, value] = ["w_query", "w_key", "w_value"].map(heads);
        let [mixed, _] = retention::by_scores([query, key, value, self.weight("start")], decays);
        self.rows(normed(mixed)) * silu(self.times(x, "w_gate"))
    }

    fn mamba(&self, input: &Tensor<4>) -> Result<Tensor<4>> {
        let x = self.convolved(input, ["w_x", "conv_x", "bias_x"])?;
        let rows = self.rows(x.clone());
        let delta = self.times(&self.times(&rows, "w_low"), "w_delta");
        let start = self.weight("start");
        let [_, batch, channels, state] = start.dims();
        let all = [
            x,
            self.by_steps(delta),
            self.by_steps(self.times(input, "w_z")),
            self.by_steps(self.times(&rows, "w_b")),
            self.by_steps(self.times(&rows, "w_c")),
            self.flat("a_log"),
            self.flat("delta_bias"),
            self.flat("skip"),
            start.reshape([batch, channels, state]),
        ];
        let [mixed, _] = scan::by_loop(&Tensors { names: scan::NAMES, all })?;
        Ok(self.rows(mixed))
    }

    fn rwkv4(&self, x: &Tensor<4>) -> Result<Tensor<4>> {
        let [r, k, v] = ["w_r", "w_k", "w_v"].map(|name| self.by_steps(self.times(x, name)));
        let start = self.weight("start");
        let [_, batch, channels, pair] = start.dims();
        let all = [r, k, v, self.flat("decay"), self.flat("bonus"), start.reshape([batch, channels, pair])];
        let [mixed, _] = rwkv::loop_of_4(&Tensors { names: rwkv::NAMES_OF_4, all })?;
        Ok(self.rows(mixed))
    }

    fn rwkv7(&self, x: &Tensor<4>) -> Result<Tensor<4>> {
        let heads = |rows: Tensor<4>| self.by_heads(rows, self.params.heads);
        let [r, v] = ["w_r", "w_v"].map(|name| heads(self.times(x, name)));
        let k = self.times(x, "w_k");
        let kappa = heads(k.clone() * self.weight("removal"));
        let [w, a] = [["w_decay", "decay"], ["w_rate", "rate"]]
            .map(|[factor, added]| heads(self.times(x, factor) + self.weight(added)));
        let all = [r, w, heads(k), v, kappa, a, self.weight("start")];
        let [mixed, _] = rwkv::loop_of_7(&Tensors { names: rwkv::NAMES_OF_7, all })?;
        Ok(self.rows(normed(mixed)) * silu(self.times(x, "w_gate")))
    }

    fn rwkv6(&self, x: &Tensor<4>) -> Result<Tensor<4>> {
        let heads = |rows: Tensor<4>| self.by_heads(rows, self.params.heads);
        let [r, k, v] = ["w_r", "w_k", "w_v"].map(|name| heads(self.times(x, name)));
        let w = heads(self.times(x, "w_decay") + self.weight("decay"));
        let all = [r, k, v, w, self.weight("bonus"), self.weight("start")];
        let [mixed, _] = rwkv::loop_of_6(&Tensors { names: rwkv::NAMES_OF_6, all })?;
        Ok(self.rows(normed(mixed)) * silu(self.times(x, "w_gate")))
    }
}
