//! The blocks of models by hand, on plain slices.
//!
//! Weights of products are packed once before timing, as those of a model are: of the inputs of such a layer, `input` can be
//! overwritten. Gains, biases of norms and tables are read as they lie, and can be. Libraries that take weights as they lie pack
//! them in each call: beside such a rival, that is a part of the difference, and the rows say so.

use benchbook_core::{Array, DType, Error, Inputs, Result, Row, Setting};
use benchbook_simd::{self as simd, Isa, LinearWeights, MlpWeights};
use benchbook_workloads::attention::window::BASE;
use benchbook_workloads::blocks::{
    Activation, EPSILON, Embedding, EmbeddingParams, LayerNorm, LayerNormParams, Linear, LinearParams, Mlp, MlpParams,
    RmsNorm, RmsNormParams, Rotary, RotaryParams, Softmax, SoftmaxParams,
};

use crate::flex::calls::{Calls, Ids, Named, named, numbers, room};
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows};
use crate::flex::weight_only::weight_bytes;

/// Bias and activation are applied to a panel's sums while these are in a cache.
pub const LINEAR: Row<Linear> = fused_row::<Linear>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, bias and activation applied to sums in the cache",
    &[DType::F32],
    |name, setting, params, inputs| {
        let LinearParams { rows, inner, outer, ref activation } = *params;
        let activation = match Activation::of(activation) {
            Activation::None => simd::Activation::None,
            Activation::Relu => simd::Activation::Relu,
            Activation::Gelu => simd::Activation::Gelu,
            Activation::Silu => simd::Activation::Silu,
        };
        let pack = || {
            let [weight, bias] = ["weight", "bias"].map(|name| inputs.numbers(name));
            LinearWeights::new([inner, outer], weight, Some(bias), Isa::detect())
        };
        let call = move |weights: &LinearWeights, input: &[f32], out: &mut [f32]| {
            simd::linear(weights, activation, input, out)
        };
        Ok(Box::new(layer(name, setting, inputs, vec![rows, outer], pack, call)?))
    },
)
.catalogue(&["TR4"]);

/// The hidden numbers exist only where the second product reads them.
pub const MLP: Row<Mlp> = fused_row::<Mlp>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, gate and up side by side, the activation applied to \
     sums in the cache",
    &[DType::F32],
    |name, setting, params, inputs| {
        let MlpParams { rows, width, hidden, ref form } = *params;
        let gated = form == "swiglu";
        let pack = || {
            let [up, down] = ["w_up", "w_down"].map(|name| inputs.numbers(name));
            if gated {
                return MlpWeights::swiglu([width, hidden], inputs.numbers("w_gate"), up, down, Isa::detect());
            }
            MlpWeights::gelu([width, hidden], up, down, Isa::detect())
        };
        let layer = layer(name, setting, inputs, vec![rows, width], pack, simd::mlp)?;
        let numbers = (2 + usize::from(gated)) * width * hidden;
        Ok(Box::new(layer.with_metrics(vec![weight_bytes(numbers * size_of::<f32>())])))
    },
)
.catalogue(&["TR4"]);

/// Each row is read from memory once.
pub const LAYER_NORM: Row<LayerNorm> = fused_row::<LayerNorm>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, mean and variance of a row in one pass, written from the first-level cache",
    &[DType::F32],
    |name, setting, params, inputs| {
        let LayerNormParams { rows, width } = *params;
        let kernel = move |inputs: &[Named; 3], [out]: [&mut [f32]; 1]| {
            let [input, gain, bias] = numbers(inputs);
            simd::layer_norm(&simd::Norm { width, input, gain, epsilon: EPSILON, isa: Isa::detect() }, bias, out)
        };
        let inputs = named(inputs, ["input", "gain", "bias"]);
        Ok(Box::new(Calls::of_slices(name, setting, inputs, [vec![rows, width]], kernel)))
    },
);

/// Each row is read from memory once.
pub const RMS_NORM: Row<RmsNorm> = fused_row::<RmsNorm>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, mean square of a row in one pass, written from the first-level cache",
    &[DType::F32],
    |name, setting, params, inputs| {
        let RmsNormParams { rows, width } = *params;
        let kernel = move |inputs: &[Named; 2], [out]: [&mut [f32]; 1]| {
            let [input, gain] = numbers(inputs);
            simd::rms_norm(&simd::Norm { width, input, gain, epsilon: EPSILON, isa: Isa::detect() }, out)
        };
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, ["input", "gain"]), [vec![rows, width]], kernel)))
    },
);

/// Each row is read from memory once.
pub const SOFTMAX: Row<Softmax> = fused_row::<Softmax>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, maximum, exponentials and their sum of a row in the first-level cache",
    &[DType::F32],
    |name, setting, params, inputs| {
        let SoftmaxParams { rows, width } = *params;
        let kernel = move |inputs: &[Named; 1], [out]: [&mut [f32]; 1]| {
            let [input] = numbers(inputs);
            simd::softmax(&simd::Softmax { width, input, isa: Isa::detect() }, out)
        };
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, ["input"]), [vec![rows, width]], kernel)))
    },
);

/// The row of the next token is prefetched.
pub const EMBEDDING: Row<Embedding> = fused_row::<Embedding>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, rows copied while that of the next token is prefetched",
    &[DType::F32],
    |name, setting, params, inputs| {
        let EmbeddingParams { tokens, width, .. } = *params;
        let table = Table { ids: Ids(inputs.get("ids").clone()), table: inputs.get("table").clone() };
        let kernel = move |inputs: &Table, [out]: [&mut [f32]; 1]| {
            let (ids, table) = (inputs.ids.0.of::<i32>(), inputs.table.of::<f32>());
            simd::embedding(&simd::Embedding { width, table, ids, isa: Isa::detect() }, out)
        };
        Ok(Box::new(Calls::of_slices(name, setting, table, [vec![tokens, width]], kernel)))
    },
);

/// A table, and the ids of tokens.
#[derive(Clone)]
struct Table {
    ids: Ids,
    /// `[vocabulary, width]`
    table: Array,
}

impl NamedInputs for Table {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        match name {
            "ids" => Some(&mut self.ids),
            "table" => Some(&mut self.table),
            _ => None,
        }
    }
}

/// Angles are made before timing.
pub const ROTARY: Row<Rotary> = fused_row::<Rotary>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, both halves of a position in one pass, with angles made before timing",
    &[DType::F32],
    |name, setting, params, inputs| {
        let RotaryParams { batch, heads, seq, head_dim } = *params;
        let rotary = simd::Rotary::new(seq, head_dim, BASE).map_err(|error| Error::Implementation {
            implementation: name.into(),
            device: setting.device.clone(),
            reason: error.to_string(),
        })?;
        let kernel = move |inputs: &[Named; 1], [out]: [&mut [f32]; 1]| {
            let [input] = numbers(inputs);
            rotary.rotate(Isa::detect(), seq, 0, input, out)
        };
        let shape = vec![batch, heads, seq, head_dim];
        Ok(Box::new(Calls::of_slices(name, setting, named(inputs, ["input"]), [shape], kernel)))
    },
);

/// Positions, and weights that were packed.
pub(in crate::flex) struct Layer<W> {
    input: Array,
    weights: W,
}

impl<W> NamedInputs for Layer<W> {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        (name == "input").then_some(&mut self.input as &mut dyn Rows)
    }
}

/// A layer with a result of this shape as something to time; `pack` makes its weights, once for each copy of the inputs.
pub(in crate::flex) fn layer<W: 'static>(
    name: &'static str,
    setting: &Setting,
    inputs: &Inputs,
    shape: Vec<usize>,
    pack: impl Fn() -> simd::Result<W>,
    call: impl Fn(&W, &[f32], &mut [f32]) -> simd::Result<()> + 'static,
) -> Result<Calls<Layer<W>, [Array; 1]>> {
    let room = [room::<f32>(shape)];
    let copy = || -> simd::Result<Layer<W>> { Ok(Layer { input: inputs.get("input").clone(), weights: pack()? }) };
    let kernel = move |layer: &mut Layer<W>, outputs: &mut [Array; 1]| {
        call(&layer.weights, layer.input.of::<f32>(), outputs[0].of_mut::<f32>())
    };
    Calls::new(name, setting, copy, &room, kernel)
}
