//! Which model, its weights, and the tokens that it foretells.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use benchbook_core::Array;
use benchbook_models::tokenizer::Bpe;
use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{Description, Own, asked_for, named, real};
use benchbook_quality::PIECES;

use super::TextQualityParams;
use super::corpus::Corpus;

/// A model and who gives its weights.
pub struct Chosen {
    pub model: Description,
    pub source: Box<dyn Source>,
}

/// Which model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// A small LLaMA with weights from a seed.
    Seeded,
    /// SmolLM2-135M, dequantised from Q4_1.
    Smollm2,
    /// A checkpoint of somebody's own: the file that describes it, and the digest of what that names.
    Own(String, String),
}

/// What this process has found of checkpoints: whole, or why not.
static FOUND: Mutex<BTreeMap<(String, String), Result<(), String>>> = Mutex::new(BTreeMap::new());

/// A LLaMA whose sizes fill no tile.
const SEEDED: &str = r#"
name = "a seeded LLaMA"
source = "made up"
parameters = 1

[text]
architecture = "llama"
layers = 2
heads = 8
kv_heads = 4
head_dim = 6
width = 35
hidden = 67
vocabulary = 211
context = 2048
tied = false
epsilon = 1e-5
rotary_base = 1e4
"#;

const SEED: u64 = 19;

const SMOLLM2: &str = "smollm2-135m";

/// The name of any checkpoint of somebody's own, in parameters.
pub const OWN: &str = "own";

impl Which {
    /// Their names, in parameters.
    pub const NAMES: [&str; 3] = ["seeded", SMOLLM2, OWN];

    /// That of a case.
    pub fn of(params: &TextQualityParams) -> Self {
        match params.model.as_str() {
            SMOLLM2 => Self::Smollm2,
            OWN => Self::Own(params.description.clone(), params.digest.clone()),
            _ => Self::Seeded,
        }
    }

    /// What its estimates on a text are of; a seeded model foretells drawn tokens, whatever the text.
    pub fn data(&self, corpus: Corpus) -> &'static str {
        match self {
            Self::Seeded => "drawn tokens",
            Self::Smollm2 | Self::Own(..) => corpus.data(),
        }
    }

    /// What it is made of.
    pub fn described(&self) -> Result<Description, String> {
        let described = match self {
            Self::Seeded => Description::parse(SEEDED),
            Self::Smollm2 => named(SMOLLM2),
            Self::Own(description, _) => asked_for(description).map(|(_, model)| model),
        };
        described.map_err(|error| error.to_string())
    }

    /// Its parameters.
    pub fn parameters(&self) -> u64 {
        self.described().map_or(0, |model| model.counted_parameters())
    }

    /// The model and its weights.
    ///
    /// # Errors
    /// They were not brought, or are not as they were.
    pub fn chosen(&self) -> Result<Chosen, String> {
        let source: Box<dyn Source> = match self {
            Self::Seeded => Box::new(Seeded { seed: SEED }),
            Self::Smollm2 => {
                let folder = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
                Box::new(real::smollm2(&folder).map_err(|error| error.to_string())?.0)
            }
            Self::Own(description, digest) => Box::new(own(description, digest)?.weights),
        };
        Ok(Chosen { model: self.described()?, source })
    }

    /// Why it cannot be had here, with this text.
    ///
    /// # Errors
    /// Weights or text were not brought.
    pub fn is_here(&self, corpus: Corpus) -> Result<(), String> {
        match self {
            Self::Seeded => return Ok(()),
            Self::Smollm2 => {
                let weights = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
                real::expect(&weights, SMOLLM2).map_err(|error| error.to_string())?;
            }
            Self::Own(description, digest) => {
                // It is large, and is not read for every implementation.
                let whole = || own(description, digest)?.verify().map_err(|error| error.to_string());
                let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
                found.entry((description.clone(), digest.clone())).or_insert_with(whole).clone()?;
            }
        }
        corpus.documents().map(|_| ())
    }

    /// Tokens `[pieces, length]`, of this text where they are not drawn.
    ///
    /// # Errors
    /// Weights or text were not brought, or a document is too short.
    pub fn ids(&self, corpus: Corpus, length: usize, seed: u64) -> Result<Vec<i32>, String> {
        match self {
            Self::Seeded => {
                let vocabulary = self.described()?.text.vocabulary;
                let drawn = Array::normal(vec![PIECES * length], seed, 1);
                // The lower bits of normal numbers are as good as uniform.
                Ok(drawn.of::<f32>().iter().map(|one| (one.to_bits() as usize % vocabulary) as i32).collect())
            }
            Self::Smollm2 => corpus.ids(SMOLLM2, smollm2_tokenizer, length),
            Self::Own(description, digest) => corpus.ids(digest, || Ok(own(description, digest)?.tokenizer), length),
        }
    }
}

fn smollm2_tokenizer() -> Result<Bpe, String> {
    let folder = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
    real::smollm2(&folder).map(|(_, tokenizer)| tokenizer).map_err(|error| error.to_string())
}

/// The checkpoint that a file describes, as long as it is the one that a case was made for.
fn own(description: &str, digest: &str) -> Result<Own, String> {
    let own = Own::open(description).map_err(|error| error.to_string())?;
    if own.digest == digest {
        return Ok(own);
    }
    Err(format!("the digest of {description} and its files is {}, this case is of {digest}", own.digest))
}
