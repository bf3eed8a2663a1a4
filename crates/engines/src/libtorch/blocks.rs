//! The blocks of models by PyTorch's own operators, called without burn in between (EN1).

use benchbook_core::{Inputs, Row, Setting};
use benchbook_workloads::blocks::{
    Activation, EPSILON, Embedding, EmbeddingParams, LayerNorm, LayerNormParams, Linear, LinearParams, Mlp, MlpParams,
    RmsNorm, RmsNormParams, Rotary, RotaryParams, Softmax, SoftmaxParams,
};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Call, row};
use super::subject::find;
use super::window::{angles, rotated};

/// Weights as they are given, `[inner, outer]`.
pub const ADDMM: Row<Linear> = row::<Addmm, 1>(
    "torch-addmm",
    "libtorch's torch.addmm, weights by rows and not packed, and the activation in place, without burn in between",
);

/// Weights as `torch.nn.Linear` keeps them, `[outer, inner]`, put so before timing.
pub const LINEAR: Row<Linear> = row::<Transposed, 1>(
    "torch-linear",
    "libtorch's linear, weights by columns and not packed, and the activation in place, without burn in between",
);

/// Products, and what lies between them in place.
pub const MLP: Row<Mlp> = row::<Products, 1>(
    "torch-mm",
    "libtorch's torch.mm, weights not packed, with gelu, or silu and mul, in place, without burn in between",
);

/// PyTorch's own.
pub const LAYER_NORM: Row<LayerNorm> =
    row::<Layer, 1>("torch-layer-norm", "libtorch's layer_norm, without burn in between");

/// PyTorch's own.
pub const RMS_NORM: Row<RmsNorm> = row::<Rms, 1>("torch-rms-norm", "libtorch's rms_norm, without burn in between");

/// PyTorch's own.
pub const SOFTMAX: Row<Softmax> = row::<Scores, 1>("torch-softmax", "libtorch's softmax, without burn in between");

/// PyTorch's own.
pub const EMBEDDING: Row<Embedding> =
    row::<Table, 1>("torch-embedding", "libtorch's embedding, without burn in between");

/// What one writes in PyTorch: operations on halves of each vector, with angles made before timing.
pub const ROTARY: Row<Rotary> =
    row::<Turning, 1>("torch-rotary", "libtorch's rotation by tensor operations, without burn in between");

/// The same in place, where that has a name.
fn activated(activation: Activation, mut sum: Tensor) -> Result<Tensor, TchError> {
    match activation {
        Activation::None => Ok(sum),
        Activation::Relu => sum.f_relu_(),
        Activation::Gelu => sum.f_gelu_("tanh"),
        Activation::Silu => sum.f_silu_(),
    }
}

pub struct Addmm {
    /// `[rows, inner]`
    input: Tensor,
    /// `[inner, outer]`
    weight: Tensor,
    /// `[outer]`
    bias: Tensor,
    activation: Activation,
}

impl Call<1> for Addmm {
    type Problem = Linear;

    fn prepared(setting: &Setting, params: &LinearParams, inputs: &Inputs) -> Result<Self, TchError> {
        let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
        let (input, weight, bias) = (tensor("input")?, tensor("weight")?, tensor("bias")?);
        Ok(Self { input, weight, bias, activation: Activation::of(&params.activation) })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        Ok([activated(self.activation, self.bias.f_addmm(&self.input, &self.weight)?)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["input", "weight", "bias"], &[&self.input, &self.weight, &self.bias], name)
    }
}

/// The same by columns.
pub struct Transposed {
    given: Addmm,
    /// `[outer, inner]`
    weight: Tensor,
}

impl Call<1> for Transposed {
    type Problem = Linear;

    fn prepared(setting: &Setting, params: &LinearParams, inputs: &Inputs) -> Result<Self, TchError> {
        let mut given = Addmm::prepared(setting, params, inputs)?;
        let weight = given.weight.f_transpose(0, 1)?.f_contiguous()?;
        // What is overwritten is a view of what the call reads.
        given.weight = weight.f_transpose(0, 1)?;
        Ok(Self { given, weight })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let Addmm { input, bias, activation, .. } = &self.given;
        Ok([activated(*activation, input.f_linear(&self.weight, Some(bias))?)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        self.given.input(name)
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

impl Call<1> for Products {
    type Problem = Mlp;

    fn prepared(setting: &Setting, params: &MlpParams, inputs: &Inputs) -> Result<Self, TchError> {
        let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
        let gate = if params.form == "swiglu" { Some(tensor("w_gate")?) } else { None };
        Ok(Self { input: tensor("input")?, up: tensor("w_up")?, down: tensor("w_down")?, gate })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let Self { input, up, down, gate } = self;
        let up = input.f_mm(up)?;
        let between = match gate {
            Some(gate) => activated(Activation::Silu, input.f_mm(gate)?)?.f_mul_(&up)?,
            None => activated(Activation::Gelu, up)?,
        };
        Ok([between.f_mm(down)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        let Self { input, up, down, gate } = self;
        match gate {
            Some(gate) if name == "w_gate" => Some(gate.shallow_clone()),
            _ => find(&["input", "w_up", "w_down"], &[input, up, down], name),
        }
    }
}

pub struct Layer {
    /// `[rows, width]`
    input: Tensor,
    /// `[width]`
    gain: Tensor,
    /// `[width]`
    bias: Tensor,
    width: i64,
}

impl Call<1> for Layer {
    type Problem = LayerNorm;

    fn prepared(setting: &Setting, params: &LayerNormParams, inputs: &Inputs) -> Result<Self, TchError> {
        let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
        let (input, gain, bias) = (tensor("input")?, tensor("gain")?, tensor("bias")?);
        Ok(Self { input, gain, bias, width: params.width as i64 })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let Self { input, gain, bias, width } = self;
        Ok([input.f_layer_norm([*width], Some(gain), Some(bias), EPSILON, false)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["input", "gain", "bias"], &[&self.input, &self.gain, &self.bias], name)
    }
}

pub struct Rms {
    /// `[rows, width]`
    input: Tensor,
    /// `[width]`
    gain: Tensor,
    width: i64,
}

impl Call<1> for Rms {
    type Problem = RmsNorm;

    fn prepared(setting: &Setting, params: &RmsNormParams, inputs: &Inputs) -> Result<Self, TchError> {
        let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
        Ok(Self { input: tensor("input")?, gain: tensor("gain")?, width: params.width as i64 })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        Ok([self.input.f_rms_norm([self.width], Some(&self.gain), EPSILON)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["input", "gain"], &[&self.input, &self.gain], name)
    }
}

/// `[rows, width]`
pub struct Scores(Tensor);

impl Call<1> for Scores {
    type Problem = Softmax;

    fn prepared(setting: &Setting, _params: &SoftmaxParams, inputs: &Inputs) -> Result<Self, TchError> {
        Ok(Self(upload(inputs.get("input"), setting.dtype)?))
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        Ok([self.0.f_internal_softmax(-1, false)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["input"], &[&self.0], name)
    }
}

pub struct Table {
    /// `[tokens]`
    ids: Tensor,
    /// `[vocabulary, width]`
    table: Tensor,
}

impl Call<1> for Table {
    type Problem = Embedding;

    fn prepared(setting: &Setting, _params: &EmbeddingParams, inputs: &Inputs) -> Result<Self, TchError> {
        let [ids, table] = ["ids", "table"].map(|name| upload(inputs.get(name), setting.dtype));
        Ok(Self { ids: ids?, table: table? })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        // No row stands for nothing.
        Ok([Tensor::f_embedding(&self.table, &self.ids, -1, false, false)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["ids", "table"], &[&self.ids, &self.table], name)
    }
}

pub struct Turning {
    /// `[batch, heads, seq, head_dim]`
    input: Tensor,
    /// `[seq, head_dim / 2]`
    cos: Tensor,
    /// `[seq, head_dim / 2]`
    sin: Tensor,
}

impl Call<1> for Turning {
    type Problem = Rotary;

    fn prepared(setting: &Setting, params: &RotaryParams, inputs: &Inputs) -> Result<Self, TchError> {
        let (size, input) = ([params.seq, params.head_dim], upload(inputs.get("input"), setting.dtype)?);
        let [cos, sin] = [f64::cos as fn(f64) -> f64, f64::sin].map(|of| angles(size, setting.dtype, of));
        Ok(Self { input, cos: cos?, sin: sin? })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        Ok([rotated(&self.input, &self.cos, &self.sin)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        find(&["input"], &[&self.input], name)
    }
}
