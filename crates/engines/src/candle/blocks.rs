//! Products and the blocks of models by candle's operations, as its own models call them.

use benchbook_core::{Inputs, Problem, Row};
use benchbook_workloads::blocks::{
    Activation, EPSILON, Embedding, LayerNorm, Linear, LinearParams, Mlp, MlpParams, RmsNorm, Softmax,
};
use benchbook_workloads::matmul::Matmul;
use candle_core::{Result, Tensor};
use candle_nn::ops::{layer_norm, rms_norm, softmax_last_dim};

use super::call::{Call, find, row, upload};

/// `Tensor::matmul`.
pub const MATMUL: Row<Matmul> = row::<Product>("candle", "candle's Tensor::matmul: the gemm crate 0.19");

/// Weights as they are given, `[inner, outer]`, not packed.
pub const LINEAR: Row<Linear> =
    row::<Affine>("candle", "candle's matmul, broadcast_add and activation, weights not packed");

/// Products, and what lies between them.
pub const MLP: Row<Mlp> = row::<Products>("candle", "candle's matmul with gelu, or silu and mul, weights not packed");

/// candle-nn's own kernel.
pub const LAYER_NORM: Row<LayerNorm> = row::<Layer>("candle", "candle_nn::ops::layer_norm");

/// candle-nn's own kernel.
pub const RMS_NORM: Row<RmsNorm> = row::<Rms>("candle", "candle_nn::ops::rms_norm");

/// candle-nn's own kernel.
pub const SOFTMAX: Row<Softmax> = row::<Scores>("candle", "candle_nn::ops::softmax_last_dim");

/// `Tensor::embedding`.
pub const EMBEDDING: Row<Embedding> = row::<Table>("candle", "candle's Tensor::embedding, on one thread");

/// Calls of one operation on inputs as they are.
macro_rules! calls {
    ($($(#[$shapes:meta])* $name:ident of $problem:ident: |$($input:ident),+| $call:expr;)+) => { $(
        $(#[$shapes])*
        pub struct $name {
            $($input: Tensor,)+
        }

        impl Call for $name {
            type Problem = $problem;

            fn prepared(_params: &<$problem as Problem>::Params, inputs: &Inputs) -> Result<Self> {
                Ok(Self { $($input: upload(inputs.get(stringify!($input)))?,)+ })
            }

            fn call(&self) -> Result<Tensor> {
                let Self { $($input),+ } = self;
                $call
            }

            fn input(&self, name: &str) -> Option<&Tensor> {
                find(&[$(stringify!($input)),+], &[$(&self.$input),+], name)
            }
        }
    )+ };
}

calls! {
    /// `[m, k]` and `[k, n]`
    Product of Matmul: |a, b| a.matmul(b);
    /// `[rows, width]`, `[width]` and `[width]`
    Layer of LayerNorm: |input, gain, bias| layer_norm(input, gain, bias, EPSILON as f32);
    /// `[rows, width]` and `[width]`
    Rms of RmsNorm: |input, gain| rms_norm(input, gain, EPSILON as f32);
    /// `[rows, width]`
    Scores of Softmax: |input| softmax_last_dim(input);
    /// `[tokens]` and `[vocabulary, width]`
    Table of Embedding: |ids, table| table.embedding(ids);
}

fn activated(activation: Activation, sum: Tensor) -> Result<Tensor> {
    match activation {
        Activation::None => Ok(sum),
        Activation::Relu => sum.relu(),
        // By a hyperbolic tangent; the other is `gelu_erf`.
        Activation::Gelu => sum.gelu(),
        Activation::Silu => sum.silu(),
    }
}

pub struct Affine {
    /// `[rows, inner]`
    input: Tensor,
    /// `[inner, outer]`
    weight: Tensor,
    /// `[outer]`
    bias: Tensor,
    activation: Activation,
}

impl Call for Affine {
    type Problem = Linear;

    fn prepared(params: &LinearParams, inputs: &Inputs) -> Result<Self> {
        let tensor = |name: &str| upload(inputs.get(name));
        let (input, weight, bias) = (tensor("input")?, tensor("weight")?, tensor("bias")?);
        Ok(Self { input, weight, bias, activation: Activation::of(&params.activation) })
    }

    fn call(&self) -> Result<Tensor> {
        activated(self.activation, self.input.matmul(&self.weight)?.broadcast_add(&self.bias)?)
    }

    fn input(&self, name: &str) -> Option<&Tensor> {
        find(&["input", "weight", "bias"], &[&self.input, &self.weight, &self.bias], name)
    }
}

pub struct Products {
    /// `[rows, width]`
    input: Tensor,
    /// `[width, hidden]`
    up: Tensor,
    /// `[hidden, width]`
    down: Tensor,
    /// `[width, hidden]`, of SwiGLU.
    gate: Option<Tensor>,
}

impl Call for Products {
    type Problem = Mlp;

    fn prepared(params: &MlpParams, inputs: &Inputs) -> Result<Self> {
        let tensor = |name: &str| upload(inputs.get(name));
        let gate = if params.form == "swiglu" { Some(tensor("w_gate")?) } else { None };
        Ok(Self { input: tensor("input")?, up: tensor("w_up")?, down: tensor("w_down")?, gate })
    }

    fn call(&self) -> Result<Tensor> {
        let Self { input, up, down, gate } = self;
        let up = input.matmul(up)?;
        let between = match gate {
            Some(gate) => input.matmul(gate)?.silu()?.mul(&up)?,
            None => up.gelu()?,
        };
        between.matmul(down)
    }

    fn input(&self, name: &str) -> Option<&Tensor> {
        let Self { input, up, down, gate } = self;
        match gate {
            Some(gate) if name == "w_gate" => Some(gate),
            _ => find(&["input", "w_up", "w_down"], &[input, up, down], name),
        }
    }
}
