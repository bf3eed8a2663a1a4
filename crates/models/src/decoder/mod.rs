//! Models that write, by our kernels, in `f32`: GPT-2, LLaMA, Qwen3 and GLM (with experts too), and those halves of Whisper, of
//! Qwen3-VL and of LLaVA that do.

mod attention;
mod broken;
mod cross;
mod experts;
mod kept;
mod latent;
mod load;
mod look;
mod matrix;
mod parted;
mod scan;
mod session;

pub use kept::Keeps;
pub use matrix::{Form, Held};
pub use parted::Split;
pub use session::{MOST_STEP, Session};

pub(crate) use look::in_order;
pub(crate) use matrix::Matrix;

use benchbook_simd::{Activation, Isa, MlpWeights, Norm, Rotary, layer_norm, mlp, rms_norm, swiglu};

use crate::description::{Architecture, Description, Text, Tower};
use crate::error::{Error, Result};
use crate::packing::Weights;
use crate::weights::Source;
use cross::Cross;
use experts::Experts;
use latent::Projection;
use load::Planned;
use parted::Parted;

/// A model whose weights are packed for this processor: made once, shared by every [`Session`].
///
/// GPT-2 has layer norms before attention and feed-forward network, GELU by tanh, learned positions and biases. LLaMA and Qwen3
/// have RMS norms, SwiGLU, grouped-query heads, queries and keys that are turned, and no bias; in Qwen3 each head's query and key
/// has a norm of its own before that. Whisper is as GPT-2, but for the exact GELU, and sees what was heard behind each attention to
/// its own text ([`Session::hear`]). That of a Qwen3-VL is a Qwen3, and that of a LLaVA a LLaMA, that takes images among its tokens
/// ([`Session::look`]).
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
    least: Option<f64>,
    scan: Option<usize>,
    /// Lists of tokens that an image comes as, where it takes any: of the last block of a vision tower, and of each deep one.
    lists: Option<usize>,
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
    /// Of attention: each weight is made less by such a share of the largest one of its query, and a value whose weight would not be
    /// above nothing is left out, so that each query sees as many as matter to it.
    pub least: Option<f64>,
    /// The layer whose attention is a scan, by the products of that attention: linear attention (Katharopoulos et al., arXiv
    /// 2006.16236, section 3), of which a state of one size is kept.
    pub scan: Option<usize>,
    /// The layer whose feed-forward network is parted into experts.
    pub split: Option<Split>,
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
    qkv: Projection,
    /// `[head_dim]`, where heads have norms.
    query_gain: Option<Vec<f32>>,
    key_gain: Option<Vec<f32>>,
    out: Matrix,
    /// Of those that see what was heard.
    cross: Option<Cross>,
    before_feed: Normed,
    feed: Network,
}

/// What comes behind attention.
#[derive(Debug)]
enum Network {
    /// All of it for each position.
    Dense(Feed),
    /// Some of many for each.
    Routed(Experts),
    /// Some parts of one for each.
    Parted(Parted),
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
        /// By tanh, or exact.
        by: Activation,
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
    /// A model of which no decoder is built ([`is_built`]) and that is neither a Whisper, nor a LLaVA, nor a Qwen3-VL of as many layers as
    /// images reach, or what the source says.
    pub fn load(model: &Description, source: &dyn Source, positions: usize) -> Result<Self> {
        Self::planned(model, source, positions, &Plan::default())
    }

    /// The same, not in all as the model has it. Only of plain forms and of codes has a row the same bits in any company.
    ///
    /// # Errors
    /// As there, and what a form refuses.
    pub fn planned(model: &Description, source: &dyn Source, positions: usize, plan: &Plan) -> Result<Self> {
        let (text, listens) = (&model.text, model.text.architecture == Architecture::Whisper);
        let lists = lists_of(model);
        if !is_built(model) && !listens && lists.is_none() {
            return Err(Error::NotBuilt(model.name.clone()));
        }
        let tensors = model.tensors();
        let weights = Planned { weights: Weights::of(&tensors, source), plan, bases: model.bases() };
        let decoder = match text.architecture {
            Architecture::Gpt2 => weights.gpt2(text),
            Architecture::Whisper => weights.whisper(text),
            _ => weights.llama(text, positions.min(text.context)),
        };
        Ok(Self { lists, ..decoder? })
    }

    /// Whether it writes of what was heard.
    pub fn listens(&self) -> bool {
        self.layers.iter().any(|layer| layer.cross.is_some())
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
        let planned = Planned { weights: Weights::of(&tensors, source), plan, bases: model.bases() };
        let other = planned.llama_layer(&model.text, layer)?;
        let usual = std::mem::replace(&mut self.layers[layer], other);
        let made = with(self);
        self.layers[layer] = usual;
        made
    }

    /// What the matrices of all layers take, but for those that make keys and values of what was heard, which no token reads.
    pub fn held(&self) -> Held {
        self.layers.iter().map(|layer| layer.attention_held() + layer.feed.held()).sum()
    }

    /// What a token reads of that where it goes through all layers: of experts, those that it goes through.
    pub fn read_by_token(&self) -> Held {
        self.layers.iter().map(|layer| layer.attention_held() + layer.feed.read()).sum()
    }

    /// What of that makes queries, keys and values.
    pub fn held_by_keys(&self) -> Held {
        self.layers.iter().map(|layer| layer.qkv.held()).sum()
    }

    /// What the head takes.
    pub fn held_by_head(&self) -> Held {
        self.head.held()
    }

    /// Bytes of all matrices, those of products, the head among them: each step of decoding reads them where there are no experts.
    pub fn matrix_bytes(&self) -> usize {
        (self.held() + self.held_by_head()).bytes
    }

    /// Numbers of a position that a feed-forward network needs room for beside those between its products.
    fn wide(&self) -> usize {
        let gated = self.layers.iter().any(|layer| matches!(layer.feed, Network::Dense(Feed::Gated { .. })));
        if gated { 2 * self.text.hidden } else { 0 }
    }

    /// Layers whose attention is a scan.
    pub fn scans(&self) -> usize {
        usize::from(self.scan.is_some_and(|layer| layer < self.text.layers))
    }

    /// The network that is parted into experts, where there is one.
    fn parted(&self) -> Option<&Parted> {
        self.layers.iter().find_map(|layer| match &layer.feed {
            Network::Parted(parted) => Some(parted),
            Network::Dense(_) | Network::Routed(_) => None,
        })
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

/// The first layers of a model of which a decoder of nothing but text is built: all of a dense one, of a Qwen3 of which each has
/// experts that none shares, and of a GLM; none of others.
pub fn built_layers(model: &Description) -> usize {
    let text = &model.text;
    let whole = match (text.architecture, &text.experts, &text.latent) {
        (Architecture::Gpt2 | Architecture::Llama | Architecture::Qwen3, None, None) => text.layers,
        (Architecture::Qwen3, Some(experts), None) if experts.shared == 0 && experts.dense_layers == 0 => text.layers,
        // Values are as wide as keys, so that both are kept alike.
        (Architecture::Glm4, _, Some(latent)) if latent.value == text.head_dim && text.kv_heads == text.heads => {
            text.layers
        }
        _ => 0,
    };
    if model.vision.is_none() && model.audio.is_none() { whole } else { 0 }
}

/// Whether a decoder of nothing but text is built of all layers of a model ([`built_layers`]).
pub fn is_built(model: &Description) -> bool {
    built_layers(model) == model.text.layers
}

/// Lists of tokens that an image comes as in the text of a dense Qwen3-VL whose layers are as many as these reach, or of a LLaVA; nothing
/// for others.
fn lists_of(model: &Description) -> Option<usize> {
    let (text, vision) = (&model.text, model.vision.as_ref()?);
    let (architecture, looks) = match vision.tower {
        Tower::Qwen3Vl => (Architecture::Qwen3, text.sections.is_some() && vision.deep.len() <= text.layers),
        Tower::Clip => (Architecture::Llama, text.sections.is_none() && vision.deep.is_empty()),
    };
    let is_dense = text.architecture == architecture && text.experts.is_none() && text.latent.is_none();
    (is_dense && looks).then_some(1 + vision.deep.len())
}

impl Layer {
    /// What the matrices of attention take, but for those that make keys and values of what was heard.
    fn attention_held(&self) -> Held {
        let crossed = |cross: &Cross| cross.query.held() + cross.out.held();
        self.qkv.held() + self.out.held() + self.cross.as_ref().map(crossed).unwrap_or_default()
    }
}

impl Network {
    /// What its matrices take.
    fn held(&self) -> Held {
        match self {
            Self::Dense(feed) => feed.held(),
            Self::Routed(experts) => experts.held(),
            Self::Parted(parted) => parted.held(),
        }
    }

    /// What a token reads of that.
    fn read(&self) -> Held {
        match self {
            Self::Dense(feed) => feed.held(),
            Self::Routed(experts) => experts.read(),
            Self::Parted(parted) => parted.read(),
        }
    }
}

impl Feed {
    /// What its matrices take.
    fn held(&self) -> Held {
        match self {
            Self::Gelu { up, down, .. } => up.held() + down.held(),
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
            Self::Gelu { up, down, by } => {
                up.apply(*by, input, between)?;
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
