//! Decoder-only models by our kernels, in `f32`: GPT-2, LLaMA and Qwen3.

mod attention;
mod broken;
mod kept;
mod matrix;
mod session;

pub use kept::Keeps;
pub use matrix::{Form, Held};
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
    keeps: Keeps,
    exit: Option<Exit>,
}

/// When a token that comes alone leaves the layers: its deeper layers only keep keys and values of what it is then, as CALM does
/// (Schuster et al., arXiv 2207.07061, section 3.5, by the saturation of hidden states).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exit {
    /// Percent of the layers that every token goes through, one at least.
    pub least: usize,
    /// The cosine between a position before a layer and behind it from which on it leaves.
    pub alike: f64,
}

impl Exit {
    /// Layers that every token goes through.
    pub fn least_of(&self, layers: usize) -> usize {
        (layers * self.least).div_ceil(100).clamp(1, layers)
    }
}

/// What of a decoder is not as its model has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Of matrices.
    pub forms: Forms,
    /// Of keys and values.
    pub keeps: Keeps,
    /// Of depth.
    pub exit: Option<Exit>,
}

impl Plan {
    /// Every matrix in one form, the head too; all else as the model has it.
    pub fn of(form: Form) -> Self {
        Self { forms: Forms { attention: form, feed: form, head: form, layers: Vec::new() }, ..Self::default() }
    }
}

/// Which matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Of attention, in a layer.
    Attention(usize),
    /// Of the feed-forward network, in a layer.
    Feed(usize),
    /// The head, which may be the embedding: tokens come in by that as it is.
    Head,
}

/// Forms of matrices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forms {
    /// Of those of attention.
    pub attention: Form,
    /// Of those of feed-forward networks.
    pub feed: Form,
    /// Of the head.
    pub head: Form,
    /// Of all of a layer, where layers have forms of their own.
    pub layers: Vec<Form>,
}

impl Forms {
    /// That of a matrix.
    pub fn of(&self, role: Role) -> Form {
        let of_layer = |layer: usize, usual: Form| self.layers.get(layer).copied().unwrap_or(usual);
        match role {
            Role::Attention(layer) => of_layer(layer, self.attention),
            Role::Feed(layer) => of_layer(layer, self.feed),
            Role::Head => self.head,
        }
    }
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
    Swiglu(MlpWeights, [usize; 2]),
    /// Gate and up as one matrix, or as two.
    Gated {
        sides: Vec<Matrix>,
        down: Matrix,
    },
}

impl Decoder {
    /// Packs the weights that `source` gives. Angles are known for `positions` positions, or for as many as the model was made
    /// for where these are fewer.
    ///
    /// # Errors
    /// A model that is no dense decoder, or what the source says.
    pub fn load(model: &Description, source: &dyn Source, positions: usize) -> Result<Self> {
        Self::planned(model, source, positions, &Plan::default())
    }

    /// The same, not in all as the model has it. Only of plain forms and of codes has a row the same bits in any company.
    ///
    /// # Errors
    /// As there, and what a form refuses.
    pub fn planned(model: &Description, source: &dyn Source, positions: usize, plan: &Plan) -> Result<Self> {
        let text = &model.text;
        if !is_dense(model) {
            return Err(Error::NotBuilt(model.name.clone()));
        }
        let tensors = model.tensors();
        let weights = Planned { weights: Weights::of(&tensors, source), plan };
        if text.architecture == Architecture::Gpt2 {
            weights.gpt2(text)
        } else {
            weights.llama(text, positions.min(text.context))
        }
    }

    /// What `with` makes of it while one layer, of LLaMA or Qwen3, has the forms of a plan and all others are as they were.
    ///
    /// # Errors
    /// What the source or `with` says.
    pub(crate) fn with_layer<T>(
        &mut self,
        model: &Description,
        source: &dyn Source,
        (layer, plan): (usize, &Plan),
        with: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let tensors = model.tensors();
        let planned = Planned { weights: Weights::of(&tensors, source), plan };
        let other = planned.llama_layer(&model.text, layer)?;
        let usual = std::mem::replace(&mut self.layers[layer], other);
        let made = with(self);
        self.layers[layer] = usual;
        made
    }

    /// What the matrices of all layers take.
    pub fn held(&self) -> Held {
        self.layers.iter().map(|layer| layer.qkv.held() + layer.out.held() + layer.feed.held()).sum()
    }

    /// What of that makes queries, keys and values.
    pub fn held_by_keys(&self) -> Held {
        self.layers.iter().map(|layer| layer.qkv.held()).sum()
    }

    /// What the head takes.
    pub fn held_by_head(&self) -> Held {
        self.head.held()
    }

    /// Bytes of all matrices, which each step of decoding reads: those of products, the head among them.
    pub fn matrix_bytes(&self) -> usize {
        (self.held() + self.held_by_head()).bytes
    }

    /// Numbers of a position that a feed-forward network needs room for beside those between its products.
    fn wide(&self) -> usize {
        let gated = self.layers.iter().any(|layer| matches!(layer.feed, Feed::Gated { .. }));
        if gated { 2 * self.text.hidden } else { 0 }
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
        self.head.apply(Activation::None, room, out)
    }
}

/// Whether a decoder of a model is built.
pub fn is_dense(model: &Description) -> bool {
    let text = &model.text;
    let dense = matches!(text.architecture, Architecture::Gpt2 | Architecture::Llama | Architecture::Qwen3);
    dense && text.experts.is_none() && text.latent.is_none() && model.vision.is_none() && model.audio.is_none()
}

impl Feed {
    /// What its matrices take.
    fn held(&self) -> Held {
        match self {
            Self::Gelu { up, down } => up.held() + down.held(),
            Self::Swiglu(_, [width, hidden]) => {
                let numbers = 3 * width * hidden;
                Held { bytes: numbers * size_of::<f32>(), numbers }
            }
            Self::Gated { sides, down } => sides.iter().map(Matrix::held).sum::<Held>() + down.held(),
        }
    }

    /// Of positions `[rows, width]`; `wide` `[rows, 2 · hidden]`, where there is any, and `between` `[rows, hidden]` are room.
    fn apply(&self, isa: Isa, input: &[f32], [wide, between]: [&mut [f32]; 2], out: &mut [f32]) -> Result<()> {
        match self {
            Self::Gelu { up, down } => {
                up.apply(Activation::Gelu, input, between)?;
                down.apply(Activation::None, between, out)
            }
            Self::Swiglu(weights, _) => Ok(mlp(weights, input, out)?),
            Self::Gated { sides, down } => {
                let each = wide.len() / sides.len();
                for (side, wide) in sides.iter().zip(wide.chunks_exact_mut(each)) {
                    side.apply(Activation::None, input, wide)?;
                }
                // The gate comes before up in each row, and where they are two matrices, all of its rows do.
                let hidden = if sides.len() == 1 { down.inner() } else { between.len() };
                swiglu(isa, hidden, wide, between)?;
                down.apply(Activation::None, between, out)
            }
        }
    }
}

/// Weights on their way to where they are packed, and what becomes of them there.
struct Planned<'a> {
    weights: Weights<'a>,
    plan: &'a Plan,
}

impl Planned<'_> {
    fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        self.weights.numbers(name)
    }

    fn normed(&self, name: &str, biased: bool) -> Result<Normed> {
        let bias = biased.then(|| self.numbers(&format!("{name}.bias"))).transpose()?;
        Ok(Normed { gain: self.numbers(&format!("{name}.weight"))?, bias })
    }

    /// A matrix `[inner, outer]` in the form of its role, of numbers from which nothing is left out yet.
    fn matrix(&self, role: Role, size: [usize; 2], mut weight: Vec<f32>, bias: Option<&[f32]>) -> Result<Matrix> {
        let form = self.plan.forms.of(role);
        form.prune(&mut weight, size);
        Matrix::new(form, size, &weight, bias, self.weights.isa)
    }

    /// Matrices `[inner, outer]` of a role beside each other, each by its name and its columns: what is left out is chosen within each
    /// of them.
    fn beside(&self, role: Role, inner: usize, sides: &[(String, usize)]) -> Result<Matrix> {
        let form = self.plan.forms.of(role);
        let side = |(name, outer): &(String, usize)| -> Result<(Vec<f32>, usize)> {
            let mut numbers = self.weights.turned(name, inner)?;
            form.prune(&mut numbers, [inner, *outer]);
            Ok((numbers, *outer))
        };
        let outer = sides.iter().map(|(_, outer)| *outer).sum::<usize>();
        let sides = sides.iter().map(side).collect::<Result<Vec<_>>>()?;
        Matrix::new(form, [inner, outer], &side_by_side(&sides, inner), None, self.weights.isa)
    }

    /// The head, which may be the embedding.
    fn head(&self, text: &Text, embedding: &[f32]) -> Result<Matrix> {
        let width = text.width;
        let weight =
            if text.tied { transposed(embedding, width) } else { self.weights.turned("lm_head.weight", width)? };
        self.matrix(Role::Head, [width, text.vocabulary], weight, None)
    }

    fn gpt2(&self, text: &Text) -> Result<Decoder> {
        let (width, hidden) = (text.width, text.hidden);
        let conv = |role: Role, name: &str, size: [usize; 2]| -> Result<Matrix> {
            let [weight, bias] = [self.numbers(&format!("{name}.weight"))?, self.numbers(&format!("{name}.bias"))?];
            self.matrix(role, size, weight, Some(&bias))
        };
        let layer = |layer: usize| -> Result<Layer> {
            let at = |name: &str| format!("h.{layer}.{name}");
            let [attention, feed] = [Role::Attention(layer), Role::Feed(layer)];
            Ok(Layer {
                before_attention: self.normed(&at("ln_1"), true)?,
                qkv: conv(attention, &at("attn.c_attn"), [width, 3 * width])?,
                query_gain: None,
                key_gain: None,
                out: conv(attention, &at("attn.c_proj"), [width; 2])?,
                before_feed: self.normed(&at("ln_2"), true)?,
                feed: Feed::Gelu {
                    up: conv(feed, &at("mlp.c_fc"), [width, hidden])?,
                    down: conv(feed, &at("mlp.c_proj"), [hidden, width])?,
                },
            })
        };
        let embedding = self.numbers("wte.weight")?;
        Ok(Decoder {
            isa: self.weights.isa,
            positions: Some(self.numbers("wpe.weight")?),
            rotary: None,
            layers: (0..text.layers).map(layer).collect::<Result<_>>()?,
            last: self.normed("ln_f", true)?,
            head: self.head(text, &embedding)?,
            embedding,
            text: text.clone(),
            keeps: self.plan.keeps,
            exit: self.plan.exit,
        })
    }

    fn llama_layer(&self, text: &Text, layer: usize) -> Result<Layer> {
        let (width, hidden, [query, kv]) = (text.width, text.hidden, text.projected());
        let at = |name: &str| format!("model.layers.{layer}.{name}");
        let turned = |name: &str, inner: usize| self.weights.turned(&at(&format!("{name}.weight")), inner);
        let side = |(name, outer): (&str, usize)| (at(&format!("{name}.weight")), outer);
        let gain = |name: &str| -> Result<Option<Vec<f32>>> {
            let norms = text.architecture.head_norms();
            norms.then(|| self.numbers(&at(&format!("self_attn.{name}.weight")))).transpose()
        };
        let (attention, feed) = (Role::Attention(layer), Role::Feed(layer));
        let qkv = [("self_attn.q_proj", query), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)].map(side);
        let form = self.plan.forms.of(feed);
        let feed = if form == Form::Plain {
            let [gate, up] = [turned("mlp.gate_proj", width)?, turned("mlp.up_proj", width)?];
            let (size, down) = ([width, hidden], turned("mlp.down_proj", hidden)?);
            Feed::Swiglu(MlpWeights::swiglu(size, &gate, &up, &down, self.weights.isa)?, size)
        } else {
            let both = [("mlp.gate_proj", hidden), ("mlp.up_proj", hidden)].map(side);
            // Two factors of both in one are not those of each.
            let together = if matches!(form, Form::LowRank(_)) { 1 } else { 2 };
            let sides = both.chunks(together).map(|sides| self.beside(feed, width, sides));
            Feed::Gated {
                sides: sides.collect::<Result<_>>()?,
                down: self.matrix(feed, [hidden, width], turned("mlp.down_proj", hidden)?, None)?,
            }
        };
        Ok(Layer {
            before_attention: self.normed(&at("input_layernorm"), false)?,
            qkv: self.beside(attention, width, &qkv)?,
            query_gain: gain("q_norm")?,
            key_gain: gain("k_norm")?,
            out: self.matrix(attention, [query, width], turned("self_attn.o_proj", query)?, None)?,
            before_feed: self.normed(&at("post_attention_layernorm"), false)?,
            feed,
        })
    }

    fn llama(&self, text: &Text, positions: usize) -> Result<Decoder> {
        let embedding = self.numbers("model.embed_tokens.weight")?;
        let base = text.rotary_base.unwrap_or(1e4);
        Ok(Decoder {
            isa: self.weights.isa,
            positions: None,
            rotary: Some(Rotary::new(positions, text.head_dim, base)?),
            layers: (0..text.layers).map(|layer| self.llama_layer(text, layer)).collect::<Result<_>>()?,
            last: self.normed("model.norm", false)?,
            head: self.head(text, &embedding)?,
            embedding,
            text: text.clone(),
            keeps: self.plan.keeps,
            exit: self.plan.exit,
        })
    }
}

/// Matrices of so many rows beside each other, each with its columns.
fn side_by_side(sides: &[(Vec<f32>, usize)], rows: usize) -> Vec<f32> {
    let of_row = |row: usize| sides.iter().flat_map(move |(side, columns)| &side[row * columns..][..*columns]);
    (0..rows).flat_map(of_row).copied().collect()
}
