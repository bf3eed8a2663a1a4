//! What a model is made of, as its description file says it.

use std::path::PathBuf;

use serde::Deserialize;

use crate::error::{Error, Result};

/// A model by its published configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// What people call it.
    pub name: String,
    /// Where the configuration was published.
    pub source: String,
    /// The row of the catalogue that it fills.
    pub catalogue: Option<String>,
    /// Published number of parameters.
    pub parameters: u64,
    /// What that number counts, where this is not plain.
    pub counted: Option<String>,
    /// Where its real weights come from, and what they went through; they are seeded where nothing stands here.
    pub weights: Option<String>,
    /// Of a model of one's own, the files that hold a checkpoint of it.
    pub files: Option<Files>,
    /// The part that reads or writes text.
    pub text: Text,
    /// The part that looks at images.
    pub vision: Option<Vision>,
    /// The part that listens.
    pub audio: Option<Audio>,
}

/// Files of a checkpoint; paths are relative to the description that names them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// A safetensors file, a folder of these (with their index, where there are several), or a GGUF file.
    pub weights: PathBuf,
    /// A `tokenizer.json`; where none is named, a GGUF file has its own.
    pub tokenizer: Option<PathBuf>,
}

/// The family whose blocks a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019, section 2.3.
    #[serde(rename = "gpt-2")]
    Gpt2,
    /// Devlin et al., arXiv 1810.04805, section 3.
    Bert,
    /// Touvron et al., arXiv 2302.13971, section 2.2, with grouped heads as in arXiv 2307.09288.
    Llama,
    /// Yang et al., arXiv 2505.09388, section 2.
    Qwen3,
    /// GLM-4.5 team, arXiv 2508.06471, section 2.1, with the latent attention of DeepSeek-V2 (arXiv 2405.04434).
    #[serde(rename = "glm-4")]
    Glm4,
    /// The decoder of Radford et al., arXiv 2212.04356, section 2.2.
    Whisper,
}

impl Architecture {
    /// Whether norms are layer norms and products have biases.
    pub fn biased(self) -> bool {
        matches!(self, Self::Gpt2 | Self::Bert | Self::Whisper)
    }

    /// Whether queries and keys are turned by their position; elsewhere positions are learned.
    pub fn rotary(self) -> bool {
        !self.biased()
    }

    /// Whether each head's query and key has an RMS norm of its own.
    pub fn head_norms(self) -> bool {
        self == Self::Qwen3
    }
}

/// A stack of blocks over tokens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Whose blocks.
    pub architecture: Architecture,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Numbers of a query, and of a key.
    pub head_dim: usize,
    /// Numbers of a position.
    pub width: usize,
    /// Numbers between the products of a dense feed-forward network.
    pub hidden: usize,
    /// Tokens that there are.
    pub vocabulary: usize,
    /// Positions that the model was made for.
    pub context: usize,
    /// Whether the head is the embedding.
    pub tied: bool,
    /// What norms add to a variance or a mean square.
    pub epsilon: f64,
    /// Base of the angles by which queries and keys are turned.
    pub rotary_base: Option<f64>,
    /// Pairs of numbers of a head that are turned by the time, by the row and by the column of a position, where it has these three: of
    /// three pairs one by each, from the first ones on, and those that are left by time (interleaved MRoPE, arXiv 2511.21631, section 2).
    pub sections: Option<[usize; 3]>,
    /// Experts in the place of the feed-forward network.
    pub experts: Option<Experts>,
    /// Latent attention in the place of attention.
    pub latent: Option<Latent>,
    /// Whether these are only the first layers of a model: what a GLM has behind its last one is left out.
    #[serde(skip)]
    pub is_part: bool,
}

/// A mixture of experts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Experts of a layer.
    pub count: usize,
    /// Experts of a token.
    pub chosen: usize,
    /// Numbers between the products of an expert.
    pub hidden: usize,
    /// Experts that every token has besides.
    pub shared: usize,
    /// First layers, which have a dense feed-forward network.
    pub dense_layers: usize,
    /// What the weights of chosen experts are multiplied by.
    #[serde(default = "once")]
    pub scale: f64,
}

fn once() -> f64 {
    1.0
}

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latent {
    /// Numbers of a compressed query.
    pub query_rank: usize,
    /// Numbers of a compressed key and value.
    pub kv_rank: usize,
    /// Numbers of a query and key that are not turned.
    pub plain: usize,
    /// Numbers of a query and key that are turned.
    pub rotated: usize,
    /// Numbers of a value.
    pub value: usize,
}

/// Whose vision tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tower {
    /// Of CLIP (arXiv 2103.00020), with the projector of two layers of LLaVA-1.5 (arXiv 2310.03744).
    Clip,
    /// Of Qwen3-VL (arXiv 2511.21631), whose deep layers reach the text as well.
    Qwen3Vl,
}

/// A transformer over patches of images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vision {
    /// Whose.
    pub tower: Tower,
    /// Blocks.
    pub layers: usize,
    /// Heads.
    pub heads: usize,
    /// Numbers of a patch.
    pub width: usize,
    /// Numbers between the products of the feed-forward network.
    pub hidden: usize,
    /// Pixels of a side of a patch.
    pub patch: usize,
    /// Frames that a patch reaches over.
    pub frames: usize,
    /// Positions that have an embedding.
    pub positions: usize,
    /// Patches of a side that become one token.
    pub merged: usize,
    /// Layers whose patches reach the text as well.
    pub deep: Vec<usize>,
}

/// The encoder of Whisper (arXiv 2212.04356, section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audio {
    /// Blocks.
    pub layers: usize,
    /// Heads.
    pub heads: usize,
    /// Numbers of a position.
    pub width: usize,
    /// Numbers between the products of the feed-forward network.
    pub hidden: usize,
    /// Bins of the mel spectrogram.
    pub bins: usize,
    /// Positions of 30 seconds.
    pub positions: usize,
}

/// How large a model is: what a plan asks for where it names no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Below 300 million parameters.
    Small,
    /// Below 3 billion.
    Medium,
    /// Below 10 billion.
    Large,
    /// All others.
    Xl,
}

impl Tier {
    /// The tier of so many parameters.
    pub fn of(parameters: u64) -> Self {
        match parameters {
            0..300_000_000 => Self::Small,
            300_000_000..3_000_000_000 => Self::Medium,
            3_000_000_000..10_000_000_000 => Self::Large,
            _ => Self::Xl,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Xl => "XL",
        }
    }
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// No TOML of these fields, or numbers that do not go together.
    pub fn parse(text: &str) -> Result<Self> {
        let description: Self = toml::from_str(text).map_err(Box::new)?;
        description.checked()
    }

    /// Itself, where its numbers go together.
    ///
    /// # Errors
    /// What does not go together.
    pub fn checked(self) -> Result<Self> {
        match self.inconsistency() {
            None => Ok(self),
            Some(reason) => Err(Error::Inconsistent { model: self.name, reason }),
        }
    }

    /// Its tier.
    pub fn tier(&self) -> Tier {
        Tier::of(self.parameters)
    }

    /// What does not go together.
    fn inconsistency(&self) -> Option<String> {
        if let Some(reason) = self.text.inconsistency() {
            return Some(reason);
        }
        if (self.text.architecture == Architecture::Whisper) != self.audio.is_some() {
            return Some("the decoder of whisper and an [audio] encoder go together".into());
        }
        let towers = [
            self.vision.as_ref().map(|vision| ("vision", vision.heads, vision.width)),
            self.audio.as_ref().map(|audio| ("audio", audio.heads, audio.width)),
        ];
        for (name, heads, width) in towers.into_iter().flatten() {
            if heads == 0 || !width.is_multiple_of(heads) {
                return Some(format!("{heads} heads do not divide the width {width} of [{name}]"));
            }
        }
        let vision = self.vision.as_ref()?;
        let beyond = vision.deep.iter().find(|layer| **layer >= vision.layers)?;
        Some(format!("layer {beyond} of [vision] is deep, there are {}", vision.layers))
    }
}

impl Text {
    /// Numbers of all queries, and of all keys, of a position.
    pub fn projected(&self) -> [usize; 2] {
        [self.heads * self.head_dim, self.kv_heads * self.head_dim]
    }

    /// What does not go together.
    fn inconsistency(&self) -> Option<String> {
        let Self { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, context, .. } = *self;
        let sizes = [layers, heads, kv_heads, head_dim, width, hidden, vocabulary, context];
        if sizes.contains(&0) || sizes.iter().any(|size| *size > 1 << 24) {
            return Some("a size of [text] is 0, or above 2²⁴".into());
        }
        if !heads.is_multiple_of(kv_heads) {
            return Some(format!("{heads} query heads cannot share {kv_heads} key heads evenly"));
        }
        if self.architecture.biased() && (heads * head_dim != width || kv_heads != heads) {
            return Some(format!("{heads} heads of {head_dim} do not divide the width {width}"));
        }
        if self.architecture.rotary() != self.rotary_base.is_some() {
            return Some("a rotary_base is given where queries and keys are turned, and nowhere else".into());
        }
        if self.architecture.rotary() && !head_dim.is_multiple_of(2) {
            return Some(format!("head_dim {head_dim} is odd: numbers are rotated in pairs"));
        }
        let half = head_dim / 2;
        let fits = |[time, rows, columns]: [usize; 3]| {
            rows.max(columns) <= half / 3 && time <= half && time + rows + columns == half
        };
        if let Some(sections) = self.sections
            && !(self.architecture.rotary() && fits(sections))
        {
            return Some(format!(
                "sections {sections:?} are not the {half} pairs of a head, a third by rows or columns"
            ));
        }
        if !(self.epsilon > 0.0 && self.epsilon < 0.1) {
            return Some(format!("norms add {}, give a small number above 0", self.epsilon));
        }
        if (self.architecture == Architecture::Glm4) != self.latent.is_some() {
            return Some("glm-4 and [text.latent] go together".into());
        }
        if let Some(Latent { plain, rotated, .. }) = &self.latent
            && plain + rotated != head_dim
        {
            return Some(format!("{plain} plain and {rotated} rotated numbers are no head of {head_dim}"));
        }
        let Experts { count, chosen, dense_layers, .. } = *self.experts.as_ref()?;
        let fits = chosen >= 1 && chosen <= count && dense_layers <= layers && self.architecture.rotary();
        (!fits).then(|| format!("{chosen} of {count} experts behind {dense_layers} dense of {layers} layers"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPT2: &str = include_str!("../../../datasets/models/gpt2-124m.toml");
    const QWEN3: &str = include_str!("../../../datasets/models/qwen3-coder-30b.toml");
    const QWEN3_VL: &str = include_str!("../../../datasets/models/qwen3-vl-2b.toml");

    #[track_caller]
    fn refused(text: &str, from: &str, to: &str, why: &str) {
        assert!(text.contains(from), "{from}");
        let message = Description::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        assert!(Description::parse(GPT2).is_ok() && Description::parse(QWEN3).is_ok());
        refused(GPT2, "heads = 12", "heads = 13", "cannot share");
        refused(GPT2, "width = 768", "width = 770", "do not divide the width 770");
        refused(GPT2, "layers = 12", "layers = 0", "is 0");
        refused(GPT2, "layers = 12", "layers = 99999999", "above");
        refused(GPT2, "epsilon = 1e-5", "epsilon = 0.0", "above 0");
        refused(GPT2, "tied = true", "tied = true\nrotary_base = 1e4", "nowhere else");
        refused(GPT2, "\"gpt-2\"", "\"gpt-4\"", "unknown variant");
        refused(GPT2, "tied = true", "tied = true\nwindow = 3", "unknown field");
        refused(GPT2, "vocabulary = 50257\n", "", "missing field");
        refused(QWEN3, "chosen = 8", "chosen = 129", "129 of 128 experts");
        refused(QWEN3, "head_dim = 128", "head_dim = 127", "odd");
        refused(QWEN3_VL, "[5, 11, 17]", "[5, 11, 24]", "layer 24");
        refused(QWEN3_VL, "[24, 20, 20]", "[24, 20, 21]", "not the 64 pairs");
        refused(QWEN3_VL, "[24, 20, 20]", "[20, 22, 22]", "a third");
        refused(GPT2, "tied = true", "tied = true\nsections = [32, 0, 0]", "sections [32, 0, 0]");
        refused(QWEN3_VL, "\"qwen3-vl\"\nlayers = 24\nheads = 16", "\"qwen3-vl\"\nlayers = 24\nheads = 15", "[vision]");
    }

    #[test]
    fn tiers_begin_where_they_say() {
        let of = [0, 299_999_999, 300_000_000, 2_999_999_999, 3_000_000_000, 9_999_999_999, 10_000_000_000];
        let names = ["small", "small", "medium", "medium", "large", "large", "XL"];
        assert_eq!(of.map(|parameters| Tier::of(parameters).name()), names);
    }
}
