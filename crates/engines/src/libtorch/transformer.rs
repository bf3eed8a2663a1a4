//! The transformer block around `scaled_dot_product_attention`.

use benchbook_core::{DType, Inputs, Row, Setting, Support};
use benchbook_workloads::blocks::{Architecture, EPSILON, TransformerBlock, TransformerBlockParams};
use tch::{TchError, Tensor};

use super::array::upload;
use super::implementation::{Call, row};
use super::subject::find;
use super::window::{angles, rotated};

/// What one writes in PyTorch (EN1): its own norms, products with bias, activations and fused attention; one product for queries,
/// keys and values, and one for gate and up.
///
/// Weights are put side by side before timing. Squares and sums of thousands need more bits than 16 have.
pub const SDPA_BLOCK: Row<TransformerBlock> = row::<Block, 1>(
    "torch-sdpa",
    "libtorch's norms, linear, scaled_dot_product_attention and activations, q, k and v in one product",
)
.only(|_, dtype, _| Support::of(&[DType::F64, DType::F32], dtype));

pub struct Block {
    architecture: Architecture,
    /// Query heads, and key and value heads.
    heads: [i64; 2],
    /// `[batch, seq, width]`
    input: Tensor,
    norms: [Norm; 2],
    qkv: Linear,
    out: Linear,
    up: Linear,
    down: Linear,
    /// Gains of queries and of keys, `[head_dim]`.
    head_gains: Option<[Tensor; 2]>,
    /// Cosines and sines, `[seq, head_dim / 2]`.
    turn: Option<[Tensor; 2]>,
}

/// A norm, of layers where it has a bias.
struct Norm {
    gain: Tensor,
    bias: Option<Tensor>,
}

impl Norm {
    fn of(part: usize, setting: &Setting, params: &TransformerBlockParams, inputs: &Inputs) -> Result<Self, TchError> {
        let vector = |name: &str| upload(inputs.get(&format!("{name}_{part}")), setting.dtype);
        let biased = params.architecture().biased();
        Ok(Self { gain: vector("gain")?, bias: biased.then(|| vector("bias")).transpose()? })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let shape = self.gain.size();
        match &self.bias {
            Some(bias) => x.f_layer_norm(shape, Some(&self.gain), Some(bias), EPSILON, false),
            None => x.f_rms_norm(shape, Some(&self.gain), EPSILON),
        }
    }
}

/// A product with bias, or several side by side.
struct Linear {
    parts: &'static [&'static str],
    /// `[from, to]`
    weight: Tensor,
    /// Columns of each part.
    columns: Vec<i64>,
    bias: Option<Tensor>,
}

impl Linear {
    fn of(
        parts: &'static [&'static str],
        setting: &Setting,
        params: &TransformerBlockParams,
        inputs: &Inputs,
    ) -> Result<Self, TchError> {
        let of_parts = |kind: &str| -> Result<Vec<Tensor>, TchError> {
            parts.iter().map(|part| upload(inputs.get(&format!("{kind}_{part}")), setting.dtype)).collect()
        };
        let weights = of_parts("w")?;
        let columns = weights.iter().map(|weight| weight.size()[1]).collect();
        let bias = if params.architecture().biased() { Some(Tensor::f_cat(&of_parts("b")?, 0)?) } else { None };
        Ok(Self { parts, weight: Tensor::f_cat(&weights, 1)?, columns, bias })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_linear(&self.weight.f_transpose(0, 1)?, self.bias.as_ref())
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        let place = self.parts.iter().position(|part| name.get(2..) == Some(*part))?;
        let (start, columns): (i64, i64) = (self.columns[..place].iter().sum(), self.columns[place]);
        match name.get(..2) {
            Some("w_") => Some(self.weight.narrow(1, start, columns)),
            Some("b_") => self.bias.as_ref().map(|bias| bias.narrow(0, start, columns)),
            _ => None,
        }
    }
}

impl Call<1> for Block {
    type Problem = TransformerBlock;

    fn prepared(setting: &Setting, params: &TransformerBlockParams, inputs: &Inputs) -> Result<Self, TchError> {
        let architecture = params.architecture();
        let tensor = |name: &str| upload(inputs.get(name), setting.dtype);
        let linear = |parts| Linear::of(parts, setting, params, inputs);
        let norm = |part| Norm::of(part, setting, params, inputs);
        let turn = |of| angles([params.seq, params.head_dim], setting.dtype, of);
        let up: &'static [&'static str] = if architecture.rotary() { &["gate", "up"] } else { &["up"] };
        Ok(Self {
            architecture,
            heads: [params.heads as i64, params.kv_heads as i64],
            input: tensor("input")?,
            norms: [norm(1)?, norm(2)?],
            qkv: linear(&["query", "key", "value"])?,
            out: linear(&["out"])?,
            up: linear(up)?,
            down: linear(&["down"])?,
            head_gains: if architecture.head_norms() {
                Some([tensor("query_gain")?, tensor("key_gain")?])
            } else {
                None
            },
            turn: if architecture.rotary() { Some([turn(f64::cos)?, turn(f64::sin)?]) } else { None },
        })
    }

    fn call(&self) -> Result<[Tensor; 1], TchError> {
        let between = self.part(0, &self.input, Self::mixed)?;
        Ok([self.part(1, &between, Self::fed)?])
    }

    fn input(&self, name: &str) -> Option<Tensor> {
        if let Some([query, key]) = &self.head_gains
            && let Some(gain) = find(&["query_gain", "key_gain"], &[query, key], name)
        {
            return Some(gain);
        }
        let [first, second] = &self.norms;
        if let (Some(one), Some(two)) = (&first.bias, &second.bias)
            && let Some(bias) = find(&["bias_1", "bias_2"], &[one, two], name)
        {
            return Some(bias);
        }
        let linear = [&self.qkv, &self.out, &self.up, &self.down].into_iter().find_map(|linear| linear.input(name));
        linear.or_else(|| find(&["input", "gain_1", "gain_2"], &[&self.input, &first.gain, &second.gain], name))
    }
}

impl Block {
    /// What `make` makes of positions, added to them, with a norm before or after that.
    fn part(
        &self,
        part: usize,
        x: &Tensor,
        make: fn(&Self, &Tensor) -> Result<Tensor, TchError>,
    ) -> Result<Tensor, TchError> {
        let norm = &self.norms[part];
        if self.architecture.post_norm() {
            norm.apply(&x.f_add(&make(self, x)?)?)
        } else {
            x.f_add(&make(self, &norm.apply(x)?)?)
        }
    }

    fn mixed(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let [heads, kv_heads] = self.heads;
        let (batch, seq, _) = x.size3()?;
        let all = self.qkv.apply(x)?.f_reshape([batch, seq, heads + 2 * kv_heads, -1])?.f_transpose(1, 2)?;
        let (query, key) = (all.f_narrow(1, 0, heads)?, all.f_narrow(1, heads, kv_heads)?);
        let value = all.f_narrow(1, heads + kv_heads, kv_heads)?;
        let [query, key] = [self.placed(query, 0)?, self.placed(key, 1)?];
        let (mask, causal, grouped) = (None::<Tensor>, self.architecture.causal(), heads != kv_heads);
        let given = Tensor::f_scaled_dot_product_attention(&query, &key, &value, mask, 0.0, causal, None, grouped)?;
        self.out.apply(&given.f_transpose(1, 2)?.f_reshape([batch, seq, -1])?)
    }

    /// Heads of queries or keys, each with its norm and turned, where that is so.
    fn placed(&self, heads: Tensor, which: usize) -> Result<Tensor, TchError> {
        let normed = match &self.head_gains {
            Some(gains) => heads.f_rms_norm(gains[which].size(), Some(&gains[which]), EPSILON)?,
            None => heads,
        };
        match &self.turn {
            Some([cos, sin]) => rotated(&normed, cos, sin),
            None => Ok(normed),
        }
    }

    fn fed(&self, x: &Tensor) -> Result<Tensor, TchError> {
        let up = self.up.apply(x)?;
        let between = match self.architecture {
            Architecture::Gpt2 => up.f_gelu("tanh")?,
            Architecture::Bert => up.f_gelu("none")?,
            Architecture::Llama | Architecture::Qwen3 => {
                let hidden = self.up.columns[0];
                up.f_narrow(-1, 0, hidden)?.f_silu()?.f_mul(&up.f_narrow(-1, hidden, hidden)?)?
            }
        };
        self.down.apply(&between)
    }
}
