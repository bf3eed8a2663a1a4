//! The transformer block: as operations of burn, and hand-written.

use benchbook_core::{DType, Inputs, Result, Row};
use benchbook_simd::{self as simd, Affine, Between, Isa, NormWeights, TransformerWeights};
use benchbook_workloads::attention::window::BASE;
use benchbook_workloads::blocks::{Activation, Architecture, EPSILON, TransformerBlock, TransformerBlockParams};
use burn::tensor::activation::{gelu, silu};
use burn::tensor::module::{attention, layer_norm};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor};

use crate::flex::attention::{attend, later};
use crate::flex::blocks::{activated, angles, fused, rms_normed, turned};
use crate::flex::burn_engine;
use crate::flex::row::{WIDE, burn_row, fused_row};
use crate::flex::subject::{NamedInputs, Rows, prepare};
use crate::flex::tensor::Target;
use crate::flex::weights::Weights;

/// Implementations of `transformer-block`.
pub const ROWS: [Row<TransformerBlock>; 3] = [COMPOSED, BURN_ATTENTION, FUSED];

/// burn's operations one after another, attention among them with all scores in memory; on libtorch they are its own.
const COMPOSED: Row<TransformerBlock> = burn_row::<TransformerBlock>(
    "composed",
    "burn's operations one after another, the scores of attention in memory",
    &WIDE,
    |name, setting, params, inputs| {
        let hidden = |on: &Target, params: &TransformerBlockParams, inputs: &Inputs| {
            let hides = params.architecture().causal() && params.seq > 1;
            let hidden = hides.then(|| later([params.seq; 2], &on.device));
            Ok((Block::upload(on, params, inputs), hidden))
        };
        prepare(name, setting, params, inputs, hidden, by_scores)
    },
)
.catalogue(&["SM6"]);

/// The same with burn's own operation for attention, as in [`BURN_ATTENTION`](super::attention::BURN_ATTENTION), which is on
/// `flex` alone for the reasons given there.
const BURN_ATTENTION: Row<TransformerBlock> = Row::<TransformerBlock>::new(
    "burn-attention",
    "burn's operations one after another, its own attention among them (burn-flex)",
    &["flex"],
    &WIDE,
    burn_engine,
    |name, setting, params, inputs| {
        let upload =
            |on: &Target, params: &TransformerBlockParams, inputs: &Inputs| Ok(Block::upload(on, params, inputs));
        prepare(name, setting, params, inputs, upload, by_burn)
    },
)
.catalogue(&["SM6"]);

/// Our own norms, products and attention, with what follows a product applied to its sums. Weights are packed before timing: of the
/// inputs, `input` can be overwritten.
const FUSED: Row<TransformerBlock> = fused_row::<TransformerBlock>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, biases, activations, gates and residuals applied to sums \
     in the cache, attention without scores in memory",
    &[DType::F32],
    |name, setting, params, inputs| {
        let TransformerBlockParams { batch, seq, width, .. } = *params;
        let call = move |weights: &TransformerWeights, input: &[f32], out: &mut [f32]| {
            simd::transformer_block(weights, [batch, seq], input, out)
        };
        let shape = vec![batch, seq, width];
        Ok(Box::new(fused::layer(name, setting, inputs, shape, || packed(params, inputs), call)?))
    },
)
.catalogue(&["SM6", "TR4"]);

/// The weights of a block, as our own kernel takes them.
fn packed(params: &TransformerBlockParams, inputs: &Inputs) -> simd::Result<TransformerWeights> {
    let TransformerBlockParams { seq, heads, kv_heads, head_dim, width, hidden, .. } = *params;
    let architecture = params.architecture();
    let bias = |name: &str| architecture.biased().then(|| inputs.numbers(name));
    let affine = |[weight, name]: [&str; 2]| Affine { weight: inputs.numbers(weight), bias: bias(name) };
    let norm = |[gain, name]: [&str; 2]| NormWeights { gain: inputs.numbers(gain), bias: bias(name) };
    let head_gains = || ["query_gain", "key_gain"].map(|name| inputs.numbers(name));
    let block = simd::TransformerBlock {
        width,
        hidden,
        heads: [heads, kv_heads, head_dim],
        causal: architecture.causal(),
        post_norm: architecture.post_norm(),
        norms: [norm(["gain_1", "bias_1"]), norm(["gain_2", "bias_2"])],
        epsilon: EPSILON,
        query: affine(["w_query", "b_query"]),
        key: affine(["w_key", "b_key"]),
        value: affine(["w_value", "b_value"]),
        out: affine(["w_out", "b_out"]),
        head_gains: architecture.head_norms().then(head_gains),
        up: affine(["w_up", "b_up"]),
        down: affine(["w_down", "b_down"]),
        between: match architecture {
            Architecture::Gpt2 => Between::Activation(simd::Activation::Gelu),
            Architecture::Bert => Between::Activation(simd::Activation::ExactGelu),
            Architecture::Llama | Architecture::Qwen3 => Between::Gate(inputs.numbers("w_gate")),
        },
    };
    let rotary = architecture.rotary().then(|| simd::Rotary::new(seq, head_dim, BASE)).transpose()?;
    TransformerWeights::new(&block, rotary, Isa::detect())
}

/// Inputs of a call.
struct Block {
    architecture: Architecture,
    /// Query heads, and key and value heads.
    heads: [usize; 2],
    /// `[batch, seq, width]`
    input: Tensor<3>,
    weights: Weights,
    /// Cosines and sines, `[1, 1, seq, head_dim / 2]`, where queries and keys are turned.
    turn: Option<[Tensor<4>; 2]>,
}

impl NamedInputs for Block {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "input" { Some(&mut self.input) } else { self.weights.input(name) }
    }
}

impl Block {
    fn upload(on: &Target, params: &TransformerBlockParams, inputs: &Inputs) -> Self {
        let architecture = params.architecture();
        let turn = |of: fn(f64) -> f64| angles(on, [params.seq, params.head_dim], of);
        Self {
            architecture,
            heads: [params.heads, params.kv_heads],
            input: on.upload(inputs.get("input")),
            weights: Weights::upload(on, inputs, &["input"]),
            turn: architecture.rotary().then(|| [turn(f64::cos), turn(f64::sin)]),
        }
    }

    /// What the block gives, with attention of queries, keys and values by `attend`.
    fn call(&self, attend: impl Fn([Tensor<4>; 3]) -> Tensor<4>) -> Tensor<3> {
        let [batch, seq, width] = self.input.dims();
        let x = self.input.clone().reshape([batch * seq, width]);
        let between = self.part(["gain_1", "bias_1"], x, |x| self.mixed(x, &attend));
        let x = self.part(["gain_2", "bias_2"], between, |x| self.fed(x));
        x.reshape([batch, seq, width])
    }

    /// What `make` makes of positions `[batch · seq, width]`, added to them, with a norm before or after that.
    fn part(&self, norm: [&str; 2], x: Tensor<2>, make: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        if self.architecture.post_norm() {
            self.normed(x.clone() + make(x), norm)
        } else {
            x.clone() + make(self.normed(x, norm))
        }
    }

    fn normed(&self, x: Tensor<2>, [gain, bias]: [&str; 2]) -> Tensor<2> {
        match (self.weights.vector(gain), self.weights.vector(bias)) {
            (Some(gain), None) => rms_normed(x, gain.unsqueeze()),
            (Some(gain), bias) => layer_norm(x, gain, bias, EPSILON),
            (None, _) => x,
        }
    }

    /// Heads `[batch, heads, seq, head_dim]` of positions.
    fn split(&self, x: Tensor<2>, heads: usize) -> Tensor<4> {
        let ([batch, seq, _], [_, width]) = (self.input.dims(), x.dims());
        x.reshape([batch, seq, heads, width / heads]).swap_dims(1, 2)
    }

    /// Heads of queries or keys, each with its norm and turned, where that is so.
    fn placed(&self, x: Tensor<4>, gain: &str) -> Tensor<4> {
        let x = match self.weights.vector(gain) {
            Some(gain) => rms_normed(x, gain.unsqueeze()),
            None => x,
        };
        match &self.turn {
            Some([cos, sin]) => turned(&x, cos, sin),
            None => x,
        }
    }

    fn mixed(&self, x: Tensor<2>, attend: impl Fn([Tensor<4>; 3]) -> Tensor<4>) -> Tensor<2> {
        let [rows, _] = x.dims();
        let [heads, kv_heads] = self.heads;
        let project = |names, heads| self.split(self.weights.linear(x.clone(), names), heads);
        let query = self.placed(project(["w_query", "b_query"], heads), "query_gain");
        let key = self.placed(project(["w_key", "b_key"], kv_heads), "key_gain");
        let given = attend([query, key, project(["w_value", "b_value"], kv_heads)]);
        let [_, _, _, head_dim] = given.dims();
        self.weights.linear(given.swap_dims(1, 2).reshape([rows, heads * head_dim]), ["w_out", "b_out"])
    }

    fn fed(&self, x: Tensor<2>) -> Tensor<2> {
        let up = self.weights.linear(x.clone(), ["w_up", "b_up"]);
        let between = match self.architecture {
            Architecture::Gpt2 => activated(Activation::Gelu, up),
            Architecture::Bert => gelu(up),
            Architecture::Llama | Architecture::Qwen3 => silu(x.matmul(self.weights.matrix("w_gate"))) * up,
        };
        self.weights.linear(between, ["w_down", "b_down"])
    }
}

fn by_scores((block, hidden): &(Block, Option<Tensor<4, Bool>>)) -> Result<[Tensor<3>; 1]> {
    Ok([block.call(|tensors| attend(tensors.each_ref(), hidden.as_ref()))])
}

fn by_burn(block: &Block) -> Result<[Tensor<3>; 1]> {
    let options = AttentionModuleOptions { is_causal: block.architecture.causal(), ..Default::default() };
    Ok([block.call(|[query, key, value]| attention(query, key, value, None, None, options))])
}
