//! The blocks of models: as operations of burn, and hand-written.

pub mod fused;
pub mod pruned;

use benchbook_core::{DType, Inputs, Result, Row};
use benchbook_workloads::blocks::{
    Activation, EPSILON, Embedding, EmbeddingParams, LayerNorm, LayerNormParams, Linear, LinearParams, Mlp, MlpParams,
    RmsNorm, RmsNormParams, Rotary, RotaryParams, Softmax, SoftmaxParams,
};
use burn::tensor::activation::{relu, silu, softmax};
use burn::tensor::{Int, Tensor, TensorData};

use crate::flex::row::{WIDE, burn_row};
use crate::flex::subject::{NamedInputs, Rows, find, prepare};
use crate::flex::tensor::Target;

/// A product, a sum, and what follows.
pub const LINEAR: Row<Linear> = burn_row::<Linear>(
    "composed",
    "matmul, a sum, and the activation, one after another",
    &WIDE,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, linear_inputs, linear),
);

/// Two or three products, and what lies between them.
pub const MLP: Row<Mlp> = burn_row::<Mlp>(
    "composed",
    "matmul, the nonlinearity, matmul, one after another",
    &WIDE,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, mlp_inputs, mlp),
);

/// Means, squares and products, each over the whole input.
pub const LAYER_NORM: Row<LayerNorm> = burn_row::<LayerNorm>(
    "composed",
    "mean, variance, quotient, gain and bias, one after another",
    &WIDE,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, layer_norm_inputs, layer_norm),
);

/// Squares, a mean and products, each over the whole input.
pub const RMS_NORM: Row<RmsNorm> = burn_row::<RmsNorm>(
    "composed",
    "mean square, quotient and gain, one after another",
    &WIDE,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, rms_norm_inputs, rms_norm),
);

/// burn's own.
pub const SOFTMAX: Row<Softmax> =
    burn_row::<Softmax>("burn", "burn's softmax", &WIDE, |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, softmax_inputs, softmaxed)
    });

/// burn's `select`.
pub const EMBEDDING: Row<Embedding> =
    burn_row::<Embedding>("burn", "burn's select", &DType::FLOATS, |name, setting, params, inputs| {
        prepare(name, setting, params, inputs, embedding_inputs, embedded)
    });

/// Slices, products and a concatenation.
pub const ROTARY: Row<Rotary> = burn_row::<Rotary>(
    "composed",
    "slices, products and a concatenation, with angles made before timing",
    &DType::FLOATS,
    |name, setting, params, inputs| prepare(name, setting, params, inputs, rotary_inputs, rotated),
);

/// Inputs of products and norms: positions, and weights by their names.
struct Block {
    /// `[rows, width]`
    input: Tensor<2>,
    names: &'static [&'static str],
    /// Vectors are `[1, width]`.
    weights: Vec<Tensor<2>>,
    activation: Activation,
}

impl NamedInputs for Block {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        if name == "input" { Some(&mut self.input) } else { find(self.names, &mut self.weights, name) }
    }
}

fn block(on: &Target, inputs: &Inputs, names: &'static [&'static str], activation: Activation) -> Block {
    let weight = |name: &&'static str| {
        let array = inputs.get(name);
        on.upload_as(array, [array.rows(), array.width()])
    };
    Block { input: on.upload(inputs.get("input")), names, weights: names.iter().map(weight).collect(), activation }
}

pub(super) fn activated(activation: Activation, x: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::Silu => silu(x),
        Activation::Gelu => {
            let cube = x.clone() * x.clone() * x.clone();
            let inner = (x.clone() + cube.mul_scalar(0.044715)).mul_scalar((2.0 / std::f64::consts::PI).sqrt());
            (x * inner.tanh().add_scalar(1.0)).mul_scalar(0.5)
        }
    }
}

fn linear_inputs(on: &Target, params: &LinearParams, inputs: &Inputs) -> Result<Block> {
    Ok(block(on, inputs, &["weight", "bias"], Activation::of(&params.activation)))
}

fn linear(block: &Block) -> Result<[Tensor<2>; 1]> {
    let sum = block.input.clone().matmul(block.weights[0].clone()) + block.weights[1].clone();
    Ok([activated(block.activation, sum)])
}

fn mlp_inputs(on: &Target, params: &MlpParams, inputs: &Inputs) -> Result<Block> {
    Ok(match params.form.as_str() {
        "swiglu" => block(on, inputs, &["w_up", "w_down", "w_gate"], Activation::Silu),
        _ => block(on, inputs, &["w_up", "w_down"], Activation::Gelu),
    })
}

fn mlp(block: &Block) -> Result<[Tensor<2>; 1]> {
    let product = |weights: &Tensor<2>| block.input.clone().matmul(weights.clone());
    let up = product(&block.weights[0]);
    let between = match block.weights.get(2) {
        Some(gate) => activated(block.activation, product(gate)) * up,
        None => activated(block.activation, up),
    };
    Ok([between.matmul(block.weights[1].clone())])
}

fn layer_norm_inputs(on: &Target, _params: &LayerNormParams, inputs: &Inputs) -> Result<Block> {
    Ok(block(on, inputs, &["gain", "bias"], Activation::None))
}

fn layer_norm(block: &Block) -> Result<[Tensor<2>; 1]> {
    let from_mean = block.input.clone() - block.input.clone().mean_dim(1);
    let variance = (from_mean.clone() * from_mean.clone()).mean_dim(1);
    let normal = from_mean / variance.add_scalar(EPSILON).sqrt();
    Ok([normal * block.weights[0].clone() + block.weights[1].clone()])
}

fn rms_norm_inputs(on: &Target, _params: &RmsNormParams, inputs: &Inputs) -> Result<Block> {
    Ok(block(on, inputs, &["gain"], Activation::None))
}

fn rms_norm(block: &Block) -> Result<[Tensor<2>; 1]> {
    Ok([rms_normed(block.input.clone(), block.weights[0].clone())])
}

/// The RMS norm over the last axis; the gain has all others of length 1.
pub(super) fn rms_normed<const D: usize>(x: Tensor<D>, gain: Tensor<D>) -> Tensor<D> {
    normed(x) * gain
}

/// The same without a gain.
pub(super) fn normed<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let square = (x.clone() * x.clone()).mean_dim(D - 1);
    x / square.add_scalar(EPSILON).sqrt()
}

fn softmax_inputs(on: &Target, _params: &SoftmaxParams, inputs: &Inputs) -> Result<Block> {
    Ok(block(on, inputs, &[], Activation::None))
}

fn softmaxed(block: &Block) -> Result<[Tensor<2>; 1]> {
    Ok([softmax(block.input.clone(), 1)])
}

/// A table, and the ids of tokens.
struct Table {
    /// `[vocabulary, width]`
    table: Tensor<2>,
    /// `[tokens]`
    ids: Tensor<1, Int>,
}

impl NamedInputs for Table {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        (name == "table").then_some(&mut self.table as &mut dyn Rows)
    }
}

fn embedding_inputs(on: &Target, params: &EmbeddingParams, inputs: &Inputs) -> Result<Table> {
    let ids = TensorData::new(inputs.get("ids").of::<i32>().to_vec(), [params.tokens]);
    Ok(Table { table: on.upload(inputs.get("table")), ids: Tensor::from_data(ids, &on.device) })
}

fn embedded(inputs: &Table) -> Result<[Tensor<2>; 1]> {
    Ok([inputs.table.clone().select(0, inputs.ids.clone())])
}

/// What turns, and cosines and sines `[1, 1, seq, head_dim / 2]`.
struct Turning {
    /// `[batch, heads, seq, head_dim]`
    input: Tensor<4>,
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl NamedInputs for Turning {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        (name == "input").then_some(&mut self.input as &mut dyn Rows)
    }
}

fn rotary_inputs(on: &Target, params: &RotaryParams, inputs: &Inputs) -> Result<Turning> {
    let [cos, sin] = [f64::cos as fn(f64) -> f64, f64::sin].map(|of| angles(on, [params.seq, params.head_dim], of));
    Ok(Turning { input: on.upload(inputs.get("input")), cos, sin })
}

fn rotated(inputs: &Turning) -> Result<[Tensor<4>; 1]> {
    Ok([turned(&inputs.input, &inputs.cos, &inputs.sin)])
}

/// A function of the angles of positions, `[1, 1, seq, head_dim / 2]`.
pub(super) fn angles(on: &Target, [seq, head_dim]: [usize; 2], of: fn(f64) -> f64) -> Tensor<4> {
    on.upload_numbers(crate::angles::angles([seq, head_dim], of), [1, 1, seq, head_dim / 2])
}

/// Each pair (i, i + d/2) of the last axis turned.
pub(super) fn turned(tensor: &Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>) -> Tensor<4> {
    let [_, _, _, head_dim] = tensor.dims();
    let x = tensor.clone().narrow(3, 0, head_dim / 2);
    let y = tensor.clone().narrow(3, head_dim / 2, head_dim / 2);
    let left = x.clone() * cos.clone() - y.clone() * sin.clone();
    Tensor::cat(vec![left, y * cos.clone() + x * sin.clone()], 3)
}
