//! Decoder-only models by our kernels, in `f32`: GPT-2, LLaMA and Qwen3.

mod attention;
mod matrix;
mod session;

pub use matrix::Precision;
pub use session::{MOST_STEP, Session};

use benchbook_simd::{Activation, Isa, MlpWeights, Norm, Rotary, layer_norm, mlp, rms_norm, swiglu};

use crate::description::{Architecture, Description, Text};
use crate::error::{Error, Result};
use crate::packing::{Weights, transposed};
use crate::weights::Source;
use matrix::Matrix;

/// A model whose weights are packed for this processor: made once, shared by every [`Session`].
///
/// GPT-2 has layer norms before attention and feed-forward network, GELU by tanh, learned positions and biases. LLaMA and Qwen3
/// have RMS norms, SwiGLU, grouped-query heads, queries and keys that are turned, and no bias; in Qwen3 each head's query and key
/// has a norm of its own before that.
#[derive(Debug)]
pub struct Decoder {
    text: Text,
    isa: Isa,
    /// `[vocabulary, width]`
    embedding: Vec<f32>,
    /// `[context, width]`, where they are learned.
    positions: Option<Vec<f32>>,
    /// Angles, where queries and keys are turned.
    rotary: Option<Rotary>,
    layers: Vec<Layer>,
    last: Normed,
    head: Matrix,
}

#[derive(Debug)]
struct Layer {
    before_attention: Normed,
    /// From a position to its query, key and value, each head by head.
    qkv: Matrix,
    /// `[head_dim]`, where heads have norms.
    query_gain: Option<Vec<f32>>,
    key_gain: Option<Vec<f32>>,
    out: Matrix,
    before_feed: Normed,
    feed: Feed,
}

/// A norm: a layer norm where it has a bias, else an RMS norm.
#[derive(Debug)]
struct Normed {
    gain: Vec<f32>,
    bias: Option<Vec<f32>>,
}

#[derive(Debug)]
enum Feed {
    Gelu {
        up: Matrix,
        down: Matrix,
    },
    Swiglu(MlpWeights),
    /// In few bits: gate and up in one.
    Coded {
        both: Matrix,
        down: Matrix,
    },
}

impl Decoder {
    /// Packs the weights that `source` gives, in `f32`. Angles are known for `positions` positions, or for as many as the model was
    /// made for where these are fewer.
    ///
    /// # Errors
    /// A model that is no dense decoder, or what the source says.
    pub fn load(model: &Description, source: &dyn Source, positions: usize) -> Result<Self> {
        Self::load_in(Precision::F32, model, source, positions)
    }

    /// The same with matrices in a precision of few bits, which those of GPT-2 with their biases are not kept in.
    ///
    /// # Errors
    /// As of [`Decoder::load`].
    pub fn load_in(precision: Precision, model: &Description, source: &dyn Source, positions: usize) -> Result<Self> {
        let text = &model.text;
        let dense = matches!(text.architecture, Architecture::Gpt2 | Architecture::Llama | Architecture::Qwen3);
        let plain = text.experts.is_none() && text.latent.is_none();
        if !dense || !plain || model.vision.is_some() || model.audio.is_some() {
            return Err(Error::NotBuilt(model.name.clone()));
        }
        let tensors = model.tensors();
        let weights = Weights::of(&tensors, source);
        if text.architecture != Architecture::Gpt2 {
            return weights.llama(precision, text, positions.min(text.context));
        }
        if precision == Precision::F32 {
            return weights.gpt2(text);
        }
        Err(Error::NotBuilt(format!("{} in {}", model.name, precision.name())))
    }

    /// Bytes of all matrices, which each step of decoding reads: those of products, the head among them.
    pub fn matrix_bytes(&self) -> usize {
        let of = |layer: &Layer| layer.qkv.bytes() + layer.out.bytes() + layer.feed.bytes(&self.text);
        self.layers.iter().map(of).sum::<usize>() + self.head.bytes()
    }

    /// What it is made of.
    pub fn text(&self) -> &Text {
        &self.text
    }

    fn norm(&self, norm: &Normed, input: &[f32], out: &mut [f32]) -> Result<()> {
        let call = Norm { width: norm.gain.len(), input, gain: &norm.gain, epsilon: self.text.epsilon, isa: self.isa };
        match &norm.bias {
            Some(bias) => layer_norm(&call, bias, out)?,
            None => rms_norm(&call, out)?,
        }
        Ok(())
    }

    /// Logits `[rows, vocabulary]` of positions `[rows, width]`, which are normed into `room` first.
    fn logits(&self, stream: &[f32], room: &mut [f32], out: &mut [f32]) -> Result<()> {
        self.norm(&self.last, stream, room)?;
        self.head.apply(room, out)
    }

    /// Numbers of a position that a feed-forward network needs room for beside those between its products.
    fn wide(&self) -> usize {
        let coded = self.layers.iter().any(|layer| matches!(layer.feed, Feed::Coded { .. }));
        if coded { 2 * self.text.hidden } else { 0 }
    }
}

impl Feed {
    /// Of positions `[rows, width]`; `wide` `[rows, 2 · hidden]`, where there is any, and `between` `[rows, hidden]` are room.
    fn apply(&self, isa: Isa, input: &[f32], [wide, between]: [&mut [f32]; 2], out: &mut [f32]) -> Result<()> {
        match self {
            Self::Gelu { up, down } => {
                up.activated(Activation::Gelu, input, between)?;
                down.apply(between, out)
            }
            Self::Swiglu(weights) => Ok(mlp(weights, input, out)?),
            Self::Coded { both, down } => {
                both.apply(input, wide)?;
                swiglu(isa, down.inner(), wide, between)?;
                down.apply(between, out)
            }
        }
    }

    /// Bytes of its matrices.
    fn bytes(&self, text: &Text) -> usize {
        match self {
            Self::Gelu { up: first, down } | Self::Coded { both: first, down } => first.bytes() + down.bytes(),
            Self::Swiglu(_) => 3 * text.width * text.hidden * size_of::<f32>(),
        }
    }
}

impl Weights<'_> {
    fn normed(&self, name: &str, biased: bool) -> Result<Normed> {
        let bias = biased.then(|| self.numbers(&format!("{name}.bias"))).transpose()?;
        Ok(Normed { gain: self.numbers(&format!("{name}.weight"))?, bias })
    }

    /// The head, which may be the embedding.
    fn head(&self, precision: Precision, text: &Text, embedding: &[f32]) -> Result<Matrix> {
        let size = [text.width, text.vocabulary];
        let weight =
            if text.tied { transposed(embedding, text.width) } else { self.turned("lm_head.weight", text.width)? };
        Matrix::new(precision, size, &weight, self.isa)
    }

    fn gpt2(&self, text: &Text) -> Result<Decoder> {
        let (width, hidden) = (text.width, text.hidden);
        let conv = |name: &str, size: [usize; 2]| -> Result<Matrix> {
            let [weight, bias] = [self.numbers(&format!("{name}.weight"))?, self.numbers(&format!("{name}.bias"))?];
            Matrix::biased(size, &weight, Some(&bias), self.isa)
        };
        let layer = |layer: usize| -> Result<Layer> {
            let at = |name: &str| format!("h.{layer}.{name}");
            Ok(Layer {
                before_attention: self.normed(&at("ln_1"), true)?,
                qkv: conv(&at("attn.c_attn"), [width, 3 * width])?,
                query_gain: None,
                key_gain: None,
                out: conv(&at("attn.c_proj"), [width; 2])?,
                before_feed: self.normed(&at("ln_2"), true)?,
                feed: Feed::Gelu {
                    up: conv(&at("mlp.c_fc"), [width, hidden])?,
                    down: conv(&at("mlp.c_proj"), [hidden, width])?,
                },
            })
        };
        let embedding = self.numbers("wte.weight")?;
        Ok(Decoder {
            isa: self.isa,
            positions: Some(self.numbers("wpe.weight")?),
            rotary: None,
            layers: (0..text.layers).map(layer).collect::<Result<_>>()?,
            last: self.normed("ln_f", true)?,
            head: self.head(Precision::F32, text, &embedding)?,
            embedding,
            text: text.clone(),
        })
    }

    fn llama(&self, precision: Precision, text: &Text, positions: usize) -> Result<Decoder> {
        let (width, hidden, [query, kv]) = (text.width, text.hidden, text.projected());
        let layer = |layer: usize| -> Result<Layer> {
            let at = |name: &str| format!("model.layers.{layer}.{name}");
            let turned = |name: &str, inner: usize| self.turned(&at(&format!("{name}.weight")), inner);
            let gain = |name: &str| -> Result<Option<Vec<f32>>> {
                let norms = text.architecture.head_norms();
                norms.then(|| self.numbers(&at(&format!("self_attn.{name}.weight")))).transpose()
            };
            let sides =
                ["q_proj", "k_proj", "v_proj"].map(|name| self.numbers(&at(&format!("self_attn.{name}.weight"))));
            let [of_query, of_key, of_value] = sides;
            let qkv = transposed(&[of_query?, of_key?, of_value?].concat(), width);
            let [gate, up] = ["mlp.gate_proj.weight", "mlp.up_proj.weight"].map(|name| self.numbers(&at(name)));
            let (gate, up, down) = (gate?, up?, turned("mlp.down_proj", hidden)?);
            let feed = if precision == Precision::F32 {
                let [gate, up] = [gate, up].map(|rows| transposed(&rows, width));
                Feed::Swiglu(MlpWeights::swiglu([width, hidden], &gate, &up, &down, self.isa)?)
            } else {
                let both = transposed(&[gate, up].concat(), width);
                let both = Matrix::new(precision, [width, 2 * hidden], &both, self.isa)?;
                Feed::Coded { both, down: Matrix::new(precision, [hidden, width], &down, self.isa)? }
            };
            let out = turned("self_attn.o_proj", query)?;
            Ok(Layer {
                before_attention: self.normed(&at("input_layernorm"), false)?,
                qkv: Matrix::new(precision, [width, query + 2 * kv], &qkv, self.isa)?,
                query_gain: gain("q_norm")?,
                key_gain: gain("k_norm")?,
                out: Matrix::new(precision, [query, width], &out, self.isa)?,
                before_feed: self.normed(&at("post_attention_layernorm"), false)?,
                feed,
            })
        };
        let embedding = self.numbers("model.embed_tokens.weight")?;
        let base = text.rotary_base.unwrap_or(1e4);
        Ok(Decoder {
            isa: self.isa,
            positions: None,
            rotary: Some(Rotary::new(positions, text.head_dim, base)?),
            layers: (0..text.layers).map(layer).collect::<Result<_>>()?,
            last: self.normed("model.norm", false)?,
            head: self.head(precision, text, &embedding)?,
            embedding,
            text: text.clone(),
        })
    }
}
