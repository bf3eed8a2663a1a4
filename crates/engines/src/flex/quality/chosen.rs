//! Which model, its weights, and the text that it foretells.

use std::sync::OnceLock;

use benchbook_core::Array;
use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{Description, named, real};
use benchbook_quality::{PIECES, data};

/// A model and who gives its weights.
pub struct Chosen {
    pub model: Description,
    pub source: Box<dyn Source>,
}

/// Which model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// A small LLaMA with weights from a seed.
    Seeded,
    /// SmolLM2-135M, dequantised from Q4_1.
    Smollm2,
}

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

impl Which {
    /// Their names, in parameters.
    pub const NAMES: [&str; 2] = ["seeded", SMOLLM2];

    /// The one of this name; any other name is the seeded one.
    pub fn of(name: &str) -> Self {
        if name == SMOLLM2 { Self::Smollm2 } else { Self::Seeded }
    }

    /// What its figures are of.
    pub fn data(self) -> &'static str {
        match self {
            Self::Seeded => "drawn tokens",
            Self::Smollm2 => "brown, every twentieth document from its beginning",
        }
    }

    /// What it is made of.
    pub fn described(self) -> Result<Description, String> {
        let described = match self {
            Self::Seeded => Description::parse(SEEDED),
            Self::Smollm2 => named(SMOLLM2),
        };
        described.map_err(|error| error.to_string())
    }

    /// Its parameters.
    pub fn parameters(self) -> u64 {
        self.described().map_or(0, |model| model.counted_parameters())
    }

    /// The model and its weights.
    ///
    /// # Errors
    /// They were not brought, or are not as they were.
    pub fn chosen(self) -> Result<Chosen, String> {
        let source: Box<dyn Source> = match self {
            Self::Seeded => Box::new(Seeded { seed: SEED }),
            Self::Smollm2 => {
                let folder = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
                Box::new(real::smollm2(&folder).map_err(|error| error.to_string())?.0)
            }
        };
        Ok(Chosen { model: self.described()?, source })
    }

    /// Why it cannot be had here.
    ///
    /// # Errors
    /// Weights or text were not brought.
    pub fn is_here(self) -> Result<(), String> {
        if self == Self::Seeded {
            return Ok(());
        }
        let weights = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
        real::expect(&weights, SMOLLM2).map_err(|error| error.to_string())?;
        documents().map(|_| ())
    }

    /// Tokens `[pieces, length]`.
    ///
    /// # Errors
    /// Weights or text were not brought, or a document is too short.
    pub fn ids(self, length: usize, seed: u64) -> Result<Vec<i32>, String> {
        if self == Self::Seeded {
            let vocabulary = self.described()?.text.vocabulary;
            let drawn = Array::normal(vec![PIECES * length], seed, 1);
            // The lower bits of normal numbers are as good as uniform.
            return Ok(drawn.of::<f32>().iter().map(|one| (one.to_bits() as usize % vocabulary) as i32).collect());
        }
        static ENCODED: OnceLock<Result<Vec<Vec<i32>>, String>> = OnceLock::new();
        let pieces = ENCODED.get_or_init(encoded).as_ref().map_err(Clone::clone)?;
        let mut ids = Vec::with_capacity(PIECES * length);
        for piece in pieces {
            let enough = piece.get(..length).ok_or_else(|| format!("a document has {} tokens", piece.len()))?;
            ids.extend(enough);
        }
        Ok(ids)
    }
}

/// A document for each piece.
fn documents() -> Result<Vec<String>, String> {
    let folder = data::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
    let all = data::brown(&folder).map_err(|error| error.to_string())?;
    let each = all.len() / PIECES;
    Ok(all.into_iter().step_by(each.max(1)).take(PIECES).map(|document| document.text).collect())
}

/// Tokens of each document.
fn encoded() -> Result<Vec<Vec<i32>>, String> {
    let folder = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
    let (_, tokenizer) = real::smollm2(&folder).map_err(|error| error.to_string())?;
    let of = |text: &String| tokenizer.encode(text).map_err(|error| error.to_string());
    documents()?.iter().map(of).collect()
}
