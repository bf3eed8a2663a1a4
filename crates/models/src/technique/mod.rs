//! Techniques: optimizations as transformations of a model, one row of a table each.
//!
//! A technique changes one thing ([`Change`]): the form of matrices, how many heads, channels, blocks or positions there are, what a
//! block is, what is kept of a text and seen of it, how deep a token goes. [`Technique::applied`] gives the model that it makes of one: a
//! description and weights, of which a decoder ([`Applied::decoder`]) multiplies by the kernels of that form. [`Applied::numbers`] are the
//! weights that it stands for, as plain numbers, for whoever checks it. [`Technique::encoding`] does the same with the encoder of a model.
//! Several that change different things compose by a list ([`composed`]).

mod composed;
mod encoding;
mod narrow;
mod precision;
mod table;

pub use composed::composed;
pub use encoding::Encoding;
pub use precision::{Tried, mean_bits};
pub use table::ALL;

use crate::decoder::{Decoder, Exit, Form, Forms, Keeps, Plan, Role, Split, built_layers};
use crate::description::{Architecture, Description};
use crate::error::{Error, Result};
use crate::tensors::Tensor;
use crate::weights::Source;
use narrow::{Narrow, Narrowed};

/// An optimization of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Technique {
    /// The name of its variants.
    pub name: &'static str,
    /// What it does, with its source (paper and section).
    pub about: &'static str,
    /// Rows of the catalogue.
    pub catalogue: &'static [&'static str],
    /// What it changes.
    pub change: Change,
    /// What it promises to save.
    pub promise: Promise,
}

/// What remains at most, as shares of the model as it is: 1 where nothing is promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promise {
    /// Bytes of the matrices of the layers.
    pub weight_bytes: f64,
    /// Bytes of keys and values.
    pub cache_bytes: f64,
    /// Operations of the layers' matrices.
    pub flops: f64,
}

/// What a technique changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// All matrices of the layers, and the head where it is no embedding.
    All(Form),
    /// All matrices of the layers.
    Layers(Form),
    /// Those of feed-forward networks.
    Feed(Form),
    /// So many percent of the key heads are left out, with the queries that share them: those with the smallest weights.
    Heads(usize),
    /// So many percent of the channels between the products of feed-forward networks are.
    Channels(usize),
    /// What is kept of a text.
    Keeps(Keeps),
    /// How deep a token goes.
    Exit(Exit),
    /// The first layers guess how a text goes on that the model itself makes, and all of them say which guesses are kept.
    Guesses(Guesses),
    /// Each weight of attention is made less by such a share of the largest, and what is not above nothing is left out.
    Attention(f64),
    /// The block in the middle is taken out: what comes in goes out.
    Block,
    /// So many tokens of a text that is known come at a time: what is computed is the same, in less room.
    Chunks(usize),
    /// The attention of the block in the middle becomes a scan, by the same products.
    Scan,
    /// The channels of the feed-forward network of the block in the middle are parted into so many experts, of which a position goes
    /// through so many.
    Experts([usize; 2]),
    /// Each layer has the lowest of some formats in which, alone, it changes logits by no more than such a share (Euclidean, on a short
    /// text).
    Precision(f64),
    /// So many percent of the positions of an encoder become one with others in each block.
    Merge(usize),
    /// Frames of sound are left out whose loudest bin is not above so many percent of the range of their spectrogram.
    Quiet(usize),
    /// So many percent of an image's patches are left out, in groups that become a token: those whose pixels vary least.
    Patches(usize),
}

/// How the first layers of a model guess.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guesses {
    /// Percent of the layers that guess.
    pub layers: usize,
    /// Tokens that are guessed at a time at most.
    pub most: usize,
    /// The share of the most likely token, by the norm and the head behind these layers, below which nothing is guessed.
    pub sure: f32,
}

/// The first half of the layers guesses up to four tokens, for as long as the share of each is a half.
pub const GUESSES: Guesses = Guesses { layers: 50, most: 4, sure: 0.5 };

impl Guesses {
    /// Layers that guess, one at least.
    pub fn layers_of(&self, layers: usize) -> usize {
        (layers * self.layers / 100).max(1)
    }
}

/// The technique of this name.
pub fn named(name: &str) -> Option<&'static Technique> {
    ALL.iter().find(|technique| technique.name == name)
}

/// Why no technique is applied to a model: no decoder is built of it, or one that hears. Nothing where they are.
pub fn not_here(model: &Description) -> Option<String> {
    if built_layers(model) > 0 {
        return None;
    }
    let (text, name) = (&model.text, &model.name);
    if model.audio.is_some() {
        return Some(format!(
            "{name} writes of sound that it hears: techniques are applied to its encoder, where its real weights are known"
        ));
    }
    let what = if text.latent.is_some() {
        "latent attention"
    } else if text.experts.is_some() {
        "experts"
    } else if text.architecture == Architecture::Bert {
        "an encoder that reads in both directions"
    } else {
        "an encoder of images"
    };
    Some(format!("{name} has {what}, of which no decoder is built yet"))
}

impl Technique {
    /// Why it cannot be applied to a model of which a decoder is built; nothing where it can.
    pub fn refuses(&self, model: &Description) -> Option<String> {
        let text = &model.text;
        let why = match self.change {
            Change::Heads(_) if text.architecture.biased() => {
                "its heads fill the width of a position, of which none can be left out alone".to_owned()
            }
            Change::Heads(_) if text.latent.is_some() => {
                "its heads share a latent, of which none can be left out yet".to_owned()
            }
            Change::Heads(_) if text.kv_heads == 1 => "all of its queries share one key head".to_owned(),
            Change::Heads(percent) if text.kv_heads * percent < 100 => {
                format!("{percent} % of {} key heads are not one", text.kv_heads)
            }
            Change::Channels(_) if text.architecture.biased() => {
                "pruning of channels is written for feed-forward networks without biases".to_owned()
            }
            Change::Channels(_) if text.experts.is_some() => {
                "pruning of channels is written for one feed-forward network a layer, and not for experts".to_owned()
            }
            Change::Channels(percent) if text.hidden * percent < 100 => {
                format!("{percent} % of {} channels are not one", text.hidden)
            }
            Change::Exit(exit) if exit.least_of(text.layers) == text.layers => {
                format!("of {} layers every token goes through all", text.layers)
            }
            Change::Guesses(_) if text.layers < 2 => "its only layer cannot guess what it makes itself".to_owned(),
            Change::Block if text.experts.as_ref().is_some_and(|experts| text.layers / 2 < experts.dense_layers) => {
                "the block in the middle is one of the dense ones before its experts".to_owned()
            }
            Change::Block if text.layers < 2 => "its only block cannot be taken out".to_owned(),
            Change::Experts(_) if text.architecture.biased() => {
                "experts are parted by the gates of a feed-forward network, and it has none".to_owned()
            }
            Change::Experts(_) if text.experts.as_ref().is_some_and(|some| text.layers / 2 >= some.dense_layers) => {
                "its block in the middle has experts already".to_owned()
            }
            Change::Experts([experts, _]) if text.hidden < experts => {
                format!("{} channels are fewer than {experts} experts", text.hidden)
            }
            Change::Precision(_) if text.architecture.biased() => {
                "the search is written for layers without biases".to_owned()
            }
            Change::Merge(_) => {
                "a token sees those before it alone, and is one of its own behind every layer".to_owned()
            }
            Change::Quiet(_) => "it hears nothing, of which some were quiet".to_owned(),
            Change::Patches(_) => "it is one of vision towers, and a decoder sees no patches".to_owned(),
            _ => return None,
        };
        Some(why)
    }

    /// Whether there are decoders that take it.
    pub fn is_of_decoders(&self) -> bool {
        !matches!(self.change, Change::Merge(_) | Change::Quiet(_) | Change::Patches(_))
    }

    /// Whether it is one of vision towers: the text that reads of the image stays as it is.
    pub fn is_of_towers(&self) -> bool {
        matches!(self.change, Change::Patches(_))
    }

    /// Whether there are encoders that take it: of sounds, or of texts.
    pub fn is_of_encoders(&self, of_sounds: bool) -> bool {
        match self.change {
            Change::All(_) | Change::Layers(_) | Change::Feed(_) | Change::Heads(_) | Change::Channels(_) => true,
            Change::Block | Change::Merge(_) => true,
            Change::Quiet(_) => of_sounds,
            Change::Keeps(_) | Change::Exit(_) | Change::Guesses(_) | Change::Attention(_) | Change::Chunks(_) => false,
            Change::Scan | Change::Experts(_) | Change::Precision(_) | Change::Patches(_) => false,
        }
    }

    /// Whether it searches for what it does to a model, which takes longer than doing it.
    pub fn searches(&self) -> bool {
        matches!(self.change, Change::Precision(_))
    }

    /// The model that it makes of one, whose weights `source` gives; positions up to `positions` are going to be read.
    ///
    /// # Errors
    /// It cannot be applied, or what the source says.
    pub fn applied<'a>(&self, model: &Description, source: &'a dyn Source, positions: usize) -> Result<Applied<'a>> {
        self.applied_after(model, source, positions, None)
    }

    /// The same after a search of the same weights, whose findings ([`Applied::tried`]) are taken instead of another one.
    ///
    /// # Errors
    /// As there.
    pub fn applied_after<'a>(
        &self,
        model: &Description,
        source: &'a dyn Source,
        positions: usize,
        searched: Option<Vec<Tried>>,
    ) -> Result<Applied<'a>> {
        if let Some(reason) = not_here(model).or_else(|| self.refuses(model)) {
            return Err(Error::Inapplicable { technique: self.name, reason });
        }
        let (mut description, mut narrowed, mut plan, mut tried) = (model.clone(), None, Plan::default(), Vec::new());
        let (mut without, mut has_searched) = (None, false);
        match self.change {
            Change::All(form) => {
                plan = Plan::of(form);
                // A head that is the embedding has no numbers of its own to stand for.
                if model.text.tied {
                    plan.forms.head = Form::Plain;
                }
            }
            Change::Layers(form) => plan.forms = Forms { attention: form, feed: form, ..Forms::default() },
            Change::Feed(form) => plan.forms.feed = form,
            Change::Keeps(keeps) => plan.keeps = keeps,
            Change::Exit(exit) => plan.exit = Some(exit),
            Change::Heads(percent) => {
                let narrow = Narrow::heads(model, source, percent)?;
                description = narrow.description(model);
                narrowed = Some(narrow);
            }
            Change::Channels(percent) => {
                let narrow = Narrow::channels(model, source, percent)?;
                description = narrow.description(model);
                narrowed = Some(narrow);
            }
            Change::Attention(least) => plan.least = Some(least),
            // The last three are refused above: they are of encoders.
            Change::Chunks(_) | Change::Guesses(_) | Change::Merge(_) | Change::Quiet(_) | Change::Patches(_) => {}
            Change::Scan => plan.scan = Some(model.text.layers / 2),
            Change::Experts([experts, chosen]) => {
                plan.split = Some(Split { layer: model.text.layers / 2, experts, chosen });
            }
            Change::Block => {
                description = model.with_layers(model.text.layers - 1);
                without = Some(model.text.layers / 2);
            }
            Change::Precision(bound) => {
                has_searched = searched.is_none();
                tried = match searched {
                    Some(tried) => tried,
                    None => precision::search(model, source, bound)?,
                };
                plan.forms.layers = precision::lowest(&tried, model.text.layers);
            }
        }
        Ok(Applied {
            description,
            source: Narrowed { source, wide: model.clone(), narrow: narrowed, without },
            plan,
            tried,
            has_searched,
            positions,
        })
    }
}

/// A model with a technique applied to it.
pub struct Applied<'a> {
    /// The model, which may have fewer heads or channels.
    pub description: Description,
    /// What else is not as its description has it.
    pub plan: Plan,
    /// What a search has tried, where there was one.
    pub tried: Vec<Tried>,
    /// Whether that search was made now, and not taken from before ([`Technique::applied_after`]).
    pub has_searched: bool,
    source: Narrowed<'a>,
    positions: usize,
}

impl Applied<'_> {
    /// Its decoder.
    ///
    /// # Errors
    /// As of [`Decoder::planned`].
    pub fn decoder(&self) -> Result<Decoder> {
        Decoder::planned(&self.description, &self.source, self.positions, &self.plan)
    }

    /// The numbers of a tensor that its decoder stands for.
    ///
    /// # Errors
    /// What its source says.
    pub fn numbers(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        let numbers = self.source.numbers(tensor)?;
        let Some((role, turned)) = place(&self.description, &tensor.name) else { return Ok(numbers) };
        let form = self.plan.forms.of(role);
        let &[rows, columns] = tensor.shape.as_slice() else { return Ok(numbers) };
        if turned { form.stands_for(numbers, [rows, columns]) } else { form.stands_for_rows(&numbers, [rows, columns]) }
    }
}

/// Which matrix a tensor is, and whether its rows are the inner axis.
fn place(model: &Description, name: &str) -> Option<(Role, bool)> {
    if name == "lm_head.weight" {
        return (!model.text.tied).then_some((Role::Head, false));
    }
    let biased = model.text.architecture.biased();
    let rest = name.strip_prefix(if biased { "h." } else { "model.layers." })?;
    let (layer, part) = rest.strip_suffix(".weight")?.split_once('.')?;
    let layer = layer.parse().ok()?;
    match part {
        "attn.c_attn" | "attn.c_proj" => Some((Role::Attention(layer), true)),
        "mlp.c_fc" | "mlp.c_proj" => Some((Role::Feed(layer), true)),
        "self_attn.q_proj"
        | "self_attn.k_proj"
        | "self_attn.v_proj"
        | "self_attn.o_proj"
        | "self_attn.q_a_proj"
        | "self_attn.q_b_proj"
        | "self_attn.kv_a_proj_with_mqa"
        | "self_attn.kv_b_proj" => Some((Role::Attention(layer), false)),
        "mlp.gate_proj" | "mlp.up_proj" | "mlp.down_proj" => Some((Role::Feed(layer), false)),
        "mlp.shared_experts.gate_proj" | "mlp.shared_experts.up_proj" | "mlp.shared_experts.down_proj" => {
            Some((Role::Feed(layer), false))
        }
        _ => {
            // A router keeps its numbers.
            let (_, part) = part.strip_prefix("mlp.experts.")?.split_once('.')?;
            matches!(part, "gate_proj" | "up_proj" | "down_proj").then_some((Role::Feed(layer), false))
        }
    }
}
