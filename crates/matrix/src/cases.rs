//! Models as cases: the first layers of each, as many as there is room for.

use std::collections::BTreeMap;

use benchbook_core::{Axis, Params, Problem as _, Value, Workload as _};
use benchbook_models::{Architecture, Description, is_dense};
use benchbook_workloads::decoding::{ForcedDecoding, OTHER};

use crate::error::Result;

/// The workload in which techniques stand beside models as they are.
pub const WORKLOAD: &str = ForcedDecoding::NAME;

/// Tokens of a vocabulary at most: seeded, others would only make the head larger, which no technique of layers changes.
const VOCABULARY: usize = 4096;

/// Tokens that come together, and those that are followed by logits; windows have to hide some.
const TEXT: [usize; 2] = [128, 32];
const QUICK_TEXT: [usize; 2] = [64, 8];

/// Layers of a quick look.
const QUICK_LAYERS: usize = 2;

/// Layers of a case at most.
const MOST_LAYERS: usize = 128;

/// Bytes of a parameter.
const BYTES: u64 = 4;

/// A model as a case.
pub struct ModelCase {
    /// The name by which it was asked for.
    pub model: String,
    /// The label of the case.
    pub name: String,
    /// Parameters of the case.
    pub params: BTreeMap<String, Axis>,
    /// Whether it can be decoded here.
    pub is_here: bool,
    /// What of the model it is.
    pub note: String,
}

impl ModelCase {
    /// As much of a model as has `room_bytes` in each of several processes.
    ///
    /// # Errors
    /// There is no model of this name.
    pub fn of(name: &str, room_bytes: u64, quick: bool, most_layers: Option<u32>) -> Result<Self> {
        let mut model = benchbook_models::named(name)?;
        let looks = model.vision.take().is_some();
        let whole = model.text.layers;
        model.text.vocabulary = model.text.vocabulary.min(VOCABULARY);
        let usual = if quick { QUICK_LAYERS } else { MOST_LAYERS };
        let most = most_layers.map_or(usual, |layers| layers as usize).min(whole);
        let fits = if is_decoded(&model) { model.with_layers(most).fit(room_bytes, BYTES).ok() } else { None };
        let (is_here, layers) = (fits.is_some(), fits.map_or(1, |fit| fit.layers()));
        let [prompt, tokens] = if quick { QUICK_TEXT } else { TEXT };
        let architecture = match (is_here, model.text.architecture) {
            (false, _) => OTHER,
            (true, Architecture::Qwen3) => "qwen3",
            (true, _) => "llama",
        };
        let text = &model.text;
        let sizes = [
            ("layers", layers),
            ("of_layers", whole),
            ("heads", text.heads),
            ("kv_heads", text.kv_heads),
            ("head_dim", text.head_dim),
            ("width", text.width),
            ("hidden", text.hidden),
            ("vocabulary", text.vocabulary),
            ("prompt", prompt),
            ("tokens", tokens),
        ];
        let mut params: BTreeMap<String, Value> =
            sizes.map(|(name, size)| (name.to_owned(), Value::Int(size as i64))).into();
        params.insert("model".to_owned(), Value::Text(name.to_owned()));
        params.insert("architecture".to_owned(), Value::Text(architecture.to_owned()));
        let label = ForcedDecoding.case(Params(params.clone()))?.name;
        let note = if is_here {
            let part = if looks { "of its text part " } else { "" };
            format!("{layers} of {whole} layers {part}with {} tokens, seeded", text.vocabulary)
        } else {
            "not here, every cell says why".to_owned()
        };
        let params = params.into_iter().map(|(name, value)| (name, Axis(vec![value]))).collect();
        Ok(Self { model: name.to_owned(), name: label, params, is_here, note })
    }
}

/// Whether a decoder is built of a model, and its right answers are known.
fn is_decoded(model: &Description) -> bool {
    is_dense(model) && matches!(model.text.architecture, Architecture::Llama | Architecture::Qwen3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, room_bytes: u64, quick: bool) -> ModelCase {
        ModelCase::of(name, room_bytes, quick, None).unwrap()
    }

    #[test]
    fn as_many_layers_as_there_is_room_for() {
        let small = of("smollm2-135m", 1 << 30, false);
        assert_eq!(small.note, "30 of 30 layers with 4096 tokens, seeded");
        assert_eq!(of("smollm2-135m", 1 << 30, true).note, "2 of 30 layers with 4096 tokens, seeded");
        // A layer of Qwen3-4B has 2 · 2560 · 4096 + 2 · 2560 · 1024 + 3 · 2560 · 9728 numbers and a few gains, its embedding
        // 4096 · 2560.
        let layer = 4 * (2 * 2560 * 4096 + 2 * 2560 * 1024 + 3 * 2560 * 9728 + 2 * 2560 + 2 * 128);
        let embedded = 4 * (4096 * 2560 + 2560);
        assert!(of("qwen3-4b", embedded + 3 * layer, false).note.starts_with("3 of 36 layers"));
        assert!(of("qwen3-4b", embedded + 3 * layer - 1, false).note.starts_with("2 of 36 layers"));
        assert!(!of("qwen3-4b", embedded + layer - 1, false).is_here, "not one of them fits");
        assert_eq!(ModelCase::of("qwen3-4b", 1 << 40, true, Some(5)).unwrap().params["layers"].0, [Value::Int(5)]);
    }

    #[test]
    fn what_nobody_decodes_is_a_case_that_says_so() {
        for name in ["qwen3-coder-30b", "glm-4.7-flash", "gpt2-124m", "bert-base", "whisper-base"] {
            let case = of(name, 1 << 40, true);
            assert!(!case.is_here && case.name.starts_with(&format!("{name} other seeded")), "{}", case.name);
        }
        let looks = of("qwen3-vl-2b", 1 << 40, true);
        assert!(looks.is_here && looks.note.contains("text part"), "{}", looks.note);
        assert!(of("llava-7b", 1 << 40, true).is_here);
    }

    #[test]
    fn every_model_is_a_case_of_its_own() {
        let names: Vec<String> = benchbook_models::all().map(|name| of(name, 1 << 40, true).name).collect();
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
