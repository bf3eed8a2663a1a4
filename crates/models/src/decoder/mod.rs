//! Decoder-only models by our kernels, in `f32`: GPT-2, LLaMA and Qwen3.

mod attention;
mod session;

pub use session::{MOST_STEP, Session};

use benchbook_simd::{Activation, Isa, LinearWeights, MlpWeights, Norm, Rotary, layer_norm, linear, mlp, rms_norm};

use crate::description::{Architecture, Description, Text};
use crate::error::{Error, Result};
use crate::packing::{Weights, transposed};
use crate::weights::Source;

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
    head: LinearWeights,
}

#[derive(Debug)]
struct Layer {
    before_attention: Normed,
    /// From a position to its query, key and value, each head by head.
    qkv: LinearWeights,
    /// `[head_dim]`, where heads have norms.
    query_gain: Option<Vec<f32>>,
    key_gain: Option<Vec<f32>>,
    out: LinearWeights,
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
    Gelu { up: LinearWeights, down: LinearWeights },
    Swiglu(MlpWeights),
}

impl Decoder {
    /// Packs the weights that `source` gives. Angles are known for `positions` positions, or for as many as the model was made
    /// for where these are fewer.
    ///
    /// # Errors
    /// A model that is no dense decoder, or what the source says.
    pub fn load(model: &Description, source: &dyn Source, positions: usize) -> Result<Self> {
        let text = &model.text;
        let dense = matches!(text.architecture, Architecture::Gpt2 | Architecture::Llama | Architecture::Qwen3);
        let plain = text.experts.is_none() && text.latent.is_none();
        if !dense || !plain || model.vision.is_some() || model.audio.is_some() {
            return Err(Error::NotBuilt(model.name.clone()));
        }
        let tensors = model.tensors();
        let weights = Weights::of(&tensors, source);
        if text.architecture == Architecture::Gpt2 {
            weights.gpt2(text)
        } else {
            weights.llama(text, positions.min(text.context))
        }
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
        linear(&self.head, Activation::None, room, out)?;
        Ok(())
    }
}

impl Feed {
    /// Of positions `[rows, width]`; `between` `[rows, hidden]` is room.
    fn apply(&self, input: &[f32], between: &mut [f32], out: &mut [f32]) -> Result<()> {
        match self {
            Self::Gelu { up, down } => {
                linear(up, Activation::Gelu, input, between)?;
                linear(down, Activation::None, between, out)?;
            }
            Self::Swiglu(weights) => mlp(weights, input, out)?,
        }
        Ok(())
    }
}

impl Weights<'_> {
    fn normed(&self, name: &str, biased: bool) -> Result<Normed> {
        let bias = biased.then(|| self.numbers(&format!("{name}.bias"))).transpose()?;
        Ok(Normed { gain: self.numbers(&format!("{name}.weight"))?, bias })
    }

    /// The head, which may be the embedding.
    fn head(&self, text: &Text, embedding: &[f32]) -> Result<LinearWeights> {
        let size = [text.width, text.vocabulary];
        let weight =
            if text.tied { transposed(embedding, text.width) } else { self.turned("lm_head.weight", text.width)? };
        Ok(LinearWeights::new(size, &weight, None, self.isa)?)
    }

    fn gpt2(&self, text: &Text) -> Result<Decoder> {
        let (width, hidden) = (text.width, text.hidden);
        let conv = |name: &str, size: [usize; 2]| -> Result<LinearWeights> {
            let [weight, bias] = [self.numbers(&format!("{name}.weight"))?, self.numbers(&format!("{name}.bias"))?];
            Ok(LinearWeights::new(size, &weight, Some(&bias), self.isa)?)
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
            head: self.head(text, &embedding)?,
            embedding,
            text: text.clone(),
        })
    }

    fn llama(&self, text: &Text, positions: usize) -> Result<Decoder> {
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
            let [gate, up] = [turned("mlp.gate_proj", width)?, turned("mlp.up_proj", width)?];
            let down = turned("mlp.down_proj", hidden)?;
            let out = turned("self_attn.o_proj", query)?;
            Ok(Layer {
                before_attention: self.normed(&at("input_layernorm"), false)?,
                qkv: LinearWeights::new([width, query + 2 * kv], &qkv, None, self.isa)?,
                query_gain: gain("q_norm")?,
                key_gain: gain("k_norm")?,
                out: LinearWeights::new([query, width], &out, None, self.isa)?,
                before_feed: self.normed(&at("post_attention_layernorm"), false)?,
                feed: Feed::Swiglu(MlpWeights::swiglu([width, hidden], &gate, &up, &down, self.isa)?),
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
            head: self.head(text, &embedding)?,
            embedding,
            text: text.clone(),
        })
    }
}
