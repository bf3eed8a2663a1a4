//! Models as cases: the first layers of each, as many as there is room for, with seeded weights; and whole ones with real weights,
//! that were brought or are somebody's own.

use std::collections::BTreeMap;

use benchbook_core::{Axis, CaseSpec, Params, Problem as _, Value, Workload as _};
use benchbook_models::{Architecture, Description, Own, built_layers, real};
use benchbook_workloads::decoding::{ForcedDecoding, Generate, SMOLLM2, Sizes};

use crate::error::Result;
use crate::forced::Share;
use crate::looking;
use crate::parts::{TOGETHER, together};

/// The workload in which techniques stand beside models as they are.
pub const WORKLOAD: &str = ForcedDecoding::NAME;

/// Tokens of a vocabulary at most: seeded, others would only make the head larger, which no technique of layers changes.
pub(crate) const VOCABULARY: usize = 4096;

/// Experts of a layer at most, of which a token goes through as many as in the model: others would only take room.
const EXPERTS: usize = 32;
const QUICK_EXPERTS: usize = 16;

/// Tokens that come together, and those that are followed by logits; windows have to hide some.
pub(crate) const TEXT: [usize; 2] = [128, 32];
pub(crate) const QUICK_TEXT: [usize; 2] = [64, 8];

/// Layers of a quick look at most, and the bytes of a model whose layers are one: each process draws, makes and checks all of its
/// numbers, which takes longer than what is timed.
pub(crate) const QUICK_LAYERS: usize = 2;
pub(crate) const QUICK_BYTES: u64 = 512 << 20;

/// The workload in which a model makes a text of its own, where guesses are kept or refused.
pub const GENERATED: &str = Generate::NAME;

/// Tokens that are given there, and those that are made.
const GENERATED_TEXT: [usize; 2] = [32, 48];

/// Tokens of each piece of real text: windows have to hide some.
const REAL_TOKENS: i64 = 96;
const QUICK_REAL_TOKENS: i64 = 16;

/// Sounds that a model hears, 30 seconds each.
const SOUNDS: i64 = 10;
const QUICK_SOUNDS: i64 = 3;

/// What a real model is held against.
enum Beside {
    /// Text that it foretells.
    Text,
    /// What people say of texts: a set of labels.
    Labels(&'static str),
    /// Sounds that it writes down.
    Sounds,
}

/// A model whose real weights can be brought, and what it is held against.
struct Real {
    model: &'static str,
    /// The problem, whose workers read the weights.
    workload: &'static str,
    /// The model as it is, as an implementation.
    plain: &'static str,
    beside: Beside,
}

/// Each of them, once for each set of labels.
const REAL: [Real; 4] = [
    Real { model: "smollm2-135m", workload: FORETOLD, plain: "decoder", beside: Beside::Text },
    Real { model: "minilm-l6", workload: "embedding-quality", plain: "encoder", beside: Beside::Labels("sentiment") },
    Real { model: "minilm-l6", workload: "embedding-quality", plain: "encoder", beside: Beside::Labels("lee") },
    Real { model: "whisper-base", workload: "speech-quality", plain: "encoder", beside: Beside::Sounds },
];

/// The problem that real weights of a decoder have.
const FORETOLD: &str = "text-quality";

/// Layers of a case at most.
const MOST_LAYERS: usize = 128;

/// Bytes of a parameter.
pub(crate) const BYTES: u64 = 4;

/// A model as a case.
pub struct ModelCase {
    /// The name by which it was asked for.
    pub model: String,
    /// The problem that it solves.
    pub workload: &'static str,
    /// The model as it is, as an implementation.
    pub plain: &'static str,
    /// The label of the case, where its problem tells it without a worker.
    pub name: Option<String>,
    /// Parameters of the case, one value each.
    pub params: BTreeMap<String, Axis>,
    /// Whether it can be measured here.
    pub is_here: bool,
    /// Whether its weights are real ones.
    pub is_real: bool,
    /// Techniques of a run beside it.
    pub together: usize,
    /// The digest of those that were brought, where they are here; that of somebody's own is a parameter.
    pub digest: Option<String>,
    /// What of the model it is.
    pub note: String,
}

impl ModelCase {
    /// The cases of a model, by its name or by a file that describes it: as much of it with seeded weights as has `room_bytes` in
    /// each of several processes, and all of it with real ones, unless only some layers are asked for. Of an encoder, only what real
    /// weights say is of use; a model that looks is a case more, with its vision tower.
    ///
    /// # Errors
    /// As of [`Self::of`]; weights of somebody's own that do not fit their description.
    pub fn all_of(name: &str, room_bytes: u64, quick: bool, most_layers: Option<u32>) -> Result<Vec<Self>> {
        let mut seeded = Self::of(name, room_bytes, quick, most_layers)?;
        let (called, model) = benchbook_models::asked_for(name)?;
        let whole_bytes = model.parameters.saturating_mul(BYTES);
        let asked = || REAL.iter().filter(|real| most_layers.is_none() && real.model == called);
        let has_own = most_layers.is_none() && model.files.is_some();
        if whole_bytes > room_bytes && (has_own || asked().next().is_some()) {
            let note = format!("{}; its real weights take {whole_bytes} bytes, and do not fit", seeded.note);
            return Ok(vec![Self { note, ..seeded }]);
        }
        let mut real: Vec<Self> = asked().map(|real| real.case(quick)).collect();
        if has_own {
            real.push(of_own(name, quick)?);
        }
        // It takes as long as a run of all others.
        if !quick {
            real.extend(asked().find_map(Real::generated));
        }
        real.iter_mut().for_each(|case| case.together = together(whole_bytes, room_bytes));
        let mut seen = None;
        if looking::looks(&model) {
            seen = looking::case(&called, &model, room_bytes, quick, most_layers)?;
            if seen.is_none() {
                seeded.note += "; with its vision tower beside it, it does not fit";
            }
        }
        let seeded = Some(seeded).filter(|case| case.is_here || real.is_empty());
        Ok(seeded.into_iter().chain(seen).chain(real).collect())
    }

    /// As much of a model as has `room_bytes` in each of several processes, with seeded weights.
    ///
    /// # Errors
    /// There is no model of this name, or none that can be measured in a file.
    pub fn of(name: &str, room_bytes: u64, quick: bool, most_layers: Option<u32>) -> Result<Self> {
        let (called, mut model) = benchbook_models::asked_for(name)?;
        let name = called.as_str();
        let looks = model.vision.take().is_some();
        let whole = model.text.layers;
        model.text.vocabulary = model.text.vocabulary.min(VOCABULARY);
        let of_experts = model.text.experts.as_ref().map_or(0, |experts| experts.count);
        if let Some(experts) = &mut model.text.experts {
            let most = if quick { QUICK_EXPERTS } else { EXPERTS };
            experts.count = experts.count.min(most.max(experts.chosen));
        }
        let usual = match model.with_layers(QUICK_LAYERS.min(whole)).fit(QUICK_BYTES, BYTES) {
            _ if !quick => MOST_LAYERS,
            Ok(fit) => fit.layers(),
            Err(_) => 1,
        };
        let most = most_layers.map_or(usual, |layers| layers as usize).min(whole);
        let fit = || model.with_layers(most).fit(room_bytes, BYTES).map_or(0, |fit| fit.layers());
        let fits = is_decoded(&model).then(fit);
        if fits.is_none() && benchbook_models::all().all(|known| known != name) {
            let reason = "right answers are known of LLaMA, Qwen3 and GLM alone here".to_owned();
            return Err(benchbook_models::Error::Inconsistent { model: called, reason }.into());
        }
        // Who asks for so many layers gets no fewer.
        let least = most_layers.map_or(1, |_| most);
        let is_here = fits.is_some_and(|fits| fits >= least);
        let layers = if is_here { fits.unwrap_or(least) } else { least };
        let share = Share {
            layers,
            of_layers: whole,
            fits: if is_here { 0 } else { fits.unwrap_or(0) },
            of_experts,
            texts: if quick { QUICK_TEXT } else { TEXT },
            is_here,
        };
        let params = share.of(name, &model.text);
        let experts = share.routed(&model.text).map_or(0, |experts| experts.count);
        let label = ForcedDecoding.case(Params(params.clone()))?.name;
        let note = if is_here {
            let part = if looks { "of its text part " } else { "" };
            let of = if experts > 0 { format!("{experts} of {of_experts} experts and ") } else { String::new() };
            let dense = if of_experts > 0 && experts == 0 { "dense, without experts, " } else { "" };
            format!("{layers} of {whole} layers {part}{dense}with {of}{} tokens, seeded", model.text.vocabulary)
        } else if let Some(fits) = fits {
            format!("does not fit: there is room for {fits} of {whole} layers, {least} are asked for")
        } else {
            "not here, every cell says why".to_owned()
        };
        let together = together(model.with_layers(layers).parameters.saturating_mul(BYTES), room_bytes);
        let (model, name, params) = (name.to_owned(), Some(label), axes(params));
        let (workload, plain, is_real) = (WORKLOAD, "plain", false);
        Ok(Self { model, workload, plain, name, params, is_here, is_real, together, digest: None, note })
    }
}

impl ModelCase {
    /// The case in a plan, solved by these.
    pub fn spec(&self, implementations: Vec<String>) -> CaseSpec {
        CaseSpec { workload: self.workload.to_owned(), preset: None, params: self.params.clone(), implementations }
    }
}

/// The case of somebody's own weights, of which every tensor is read here: what is wrong with them is told before anything is measured.
fn of_own(word: &str, quick: bool) -> Result<ModelCase> {
    let own = Own::open(word)?;
    own.verify()?;
    let unknown = |source| benchbook_models::Error::Read { path: word.into(), source };
    // Workers need not start in the same folder.
    let description = std::path::absolute(word).map_err(unknown)?.to_string_lossy().into_owned();
    let note = format!("all of it with weights of its own ({}), on real text", &own.digest[..12]);
    let words = [("model", "own".to_owned()), ("description", description), ("digest", own.digest)];
    let mut params: BTreeMap<String, Value> = words.map(|(name, word)| (name.to_owned(), Value::Text(word))).into();
    params.insert("tokens".to_owned(), Value::Int(if quick { QUICK_REAL_TOKENS } else { REAL_TOKENS }));
    Ok(ModelCase {
        model: own.name,
        workload: FORETOLD,
        plain: "decoder",
        name: None,
        params: axes(params),
        is_here: true,
        is_real: true,
        together: TOGETHER,
        digest: None,
        note,
    })
}

/// A value each.
pub(crate) fn axes(params: BTreeMap<String, Value>) -> BTreeMap<String, Axis> {
    params.into_iter().map(|(name, value)| (name, Axis(vec![value]))).collect()
}

impl Real {
    /// The case of a real model, whether it was brought or not: where it was not, its cells say what brings it.
    fn case(&self, quick: bool) -> ModelCase {
        let digest = real::folder().and_then(|folder| real::digest(&folder, self.model).ok());
        let is_here = digest.is_some();
        let mut params: BTreeMap<String, Value> = [("model".to_owned(), Value::Text(self.model.to_owned()))].into();
        let (name, value, of) = match self.beside {
            Beside::Text => {
                let tokens = if quick { QUICK_REAL_TOKENS } else { REAL_TOKENS };
                ("tokens", Value::Int(tokens), "real text".to_owned())
            }
            Beside::Labels(texts) => ("texts", Value::Text(texts.to_owned()), format!("the labels {texts}")),
            Beside::Sounds => {
                let sounds = if quick { QUICK_SOUNDS } else { SOUNDS };
                ("sounds", Value::Int(sounds), format!("{sounds} sounds that were read aloud"))
            }
        };
        params.insert(name.to_owned(), value);
        let note = if is_here {
            format!("all of it with real weights, on {of}")
        } else {
            format!("its real weights are not here, `cargo xtask data {}` brings them", self.model)
        };
        ModelCase {
            model: self.model.to_owned(),
            workload: self.workload,
            plain: self.plain,
            name: None,
            params: axes(params),
            is_here,
            is_real: true,
            together: TOGETHER,
            digest,
            note,
        }
    }
}

impl Real {
    /// The same model while it writes: of what is not here there is no case.
    fn generated(&self) -> Option<ModelCase> {
        let whole = self.case(false);
        let sizes = (self.model == "smollm2-135m" && whole.is_here).then_some(SMOLLM2)?;
        let Sizes { layers, heads, kv_heads, head_dim, width, hidden, vocabulary, rotary_base, .. } = sizes;
        let [prompt, tokens] = GENERATED_TEXT;
        let numbers = [
            ("layers", layers),
            ("heads", heads),
            ("kv_heads", kv_heads),
            ("head_dim", head_dim),
            ("width", width),
            ("hidden", hidden),
            ("vocabulary", vocabulary),
            ("rotary_base", rotary_base),
            ("prompt", prompt),
            ("tokens", tokens),
        ];
        let mut params: BTreeMap<String, Value> =
            numbers.map(|(name, number)| (name.to_owned(), Value::Int(number as i64))).into();
        for (name, word) in [("weights", self.model), ("architecture", "llama")] {
            params.insert(name.to_owned(), Value::Text(word.to_owned()));
        }
        let note = "all of it with real weights, while it writes a text of its own".to_owned();
        Some(ModelCase { workload: GENERATED, plain: "kv-cache", params: axes(params), note, ..whole })
    }
}

/// Whether a decoder is built of a model, and its right answers are known.
pub(crate) fn is_decoded(model: &Description) -> bool {
    let known = matches!(model.text.architecture, Architecture::Llama | Architecture::Qwen3 | Architecture::Glm4);
    known && built_layers(model) > 0
}

#[cfg(test)]
mod tests {
    use benchbook_models::Tensor;
    use benchbook_models::weights::{Safetensors, Seeded};

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
        let none = of("qwen3-4b", embedded + layer - 1, false);
        assert!(!none.is_here && none.note.contains("room for 0 of 36 layers"), "{}", none.note);
        // Of a large one, a quick look takes a layer.
        assert!(of("qwen3-4b", 1 << 40, true).note.starts_with("1 of 36 layers"));
        assert!(of("llama-70b", 1 << 40, true).note.starts_with("1 of 80 layers"));
        // Who asks for four gets no three.
        let four = ModelCase::of("qwen3-4b", embedded + 3 * layer, false, Some(4)).unwrap();
        assert!(!four.is_here && four.note.contains("room for 3 of 36 layers, 4 are asked for"), "{}", four.note);
        assert_eq!((&four.params["fits"].0[0], &four.params["layers"].0[0]), (&Value::Int(3), &Value::Int(4)));
        assert!(four.name.unwrap().starts_with("qwen3-4b other fits3 seeded"));
        let real = ModelCase::all_of("smollm2-135m", 1 << 20, true, None).unwrap();
        assert!(real.len() == 1 && real[0].note.contains("real weights take"), "{}", real[0].note);
        assert_eq!(ModelCase::of("qwen3-4b", 1 << 40, true, Some(5)).unwrap().params["layers"].0, [Value::Int(5)]);
    }

    #[test]
    fn what_nobody_decodes_is_a_case_that_says_so() {
        for name in ["gpt2-124m", "bert-base", "whisper-base"] {
            let case = of(name, 1 << 40, true);
            let label = case.name.unwrap();
            assert!(!case.is_here && label.starts_with(&format!("{name} other seeded")), "{label}");
        }
        let looks = of("qwen3-vl-2b", 1 << 40, true);
        assert!(looks.is_here && looks.note.contains("2 of 28 layers of its text part"), "{}", looks.note);
        assert!(of("llava-7b", 1 << 40, true).is_here);
        let latent = of("glm-4.7-flash", 1 << 40, false);
        assert_eq!(latent.note, "47 of 47 layers with 32 of 64 experts and 4096 tokens, seeded");
        let label = latent.name.unwrap();
        assert!(
            label.contains(" of l47 glm-4 l47 ") && label.ends_with(" e4/32+1 ×180% dense1→10240 of e64"),
            "{label}"
        );
        let first = ModelCase::of("glm-4.7-flash", 1 << 40, false, Some(1)).unwrap();
        assert_eq!(first.note, "1 of 47 layers dense, without experts, with 4096 tokens, seeded");
        let experts = of("qwen3-coder-30b", 1 << 40, true);
        assert_eq!(experts.note, "1 of 48 layers with 16 of 128 experts and 4096 tokens, seeded");
        assert!(experts.name.unwrap().ends_with(" e8/16 of e128"));
        assert!(of("qwen3-coder-30b", 1 << 40, false).note.contains("32 of 128 experts"));
    }

    #[test]
    fn every_model_is_a_case_of_its_own() {
        let names: Vec<String> = benchbook_models::all().map(|name| of(name, 1 << 40, true).name.unwrap()).collect();
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn weights_of_ones_own_are_a_case_that_names_them_and_nothing_where_they_do_not_fit() {
        let folder = std::env::temp_dir().join(format!("benchbook-own-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
        let text = include_str!("../../models/fixtures/own/mine.toml");
        put("mine.toml", text.as_bytes());
        put("tokenizer.json", include_bytes!("../../models/fixtures/own/tokenizer.json"));
        let mut tensors = Description::parse(text).unwrap().tensors();
        let written = |tensors: &[Tensor]| Safetensors::written(tensors, &Seeded { seed: 7 }).unwrap();
        put("model.safetensors", &written(&tensors));
        let path = folder.join("mine.toml").to_str().unwrap().to_owned();
        let all = |room_bytes: u64, layers: Option<u32>| ModelCase::all_of(&path, room_bytes, true, layers);
        let cases = all(1 << 30, None).unwrap();
        let [seeded, own] = cases.as_slice() else { panic!("{} cases", cases.len()) };
        assert!(seeded.name.as_ref().unwrap().starts_with("mine seeded ") && !seeded.is_real);
        let value = |name: &str| own.params[name].0[0].to_string();
        assert_eq!(
            (own.model.as_str(), value("model"), value("description")),
            ("mine", "own".to_owned(), path.clone())
        );
        assert!(own.is_real && own.is_here && own.note.contains(&value("digest")[..12]), "{}", own.note);
        assert_eq!(all(1 << 30, Some(1)).unwrap().len(), 1, "some layers are none that foretell text");
        assert!(all(8_000, None).unwrap()[0].note.contains("real weights take 13056 bytes"));
        tensors.pop();
        put("model.safetensors", &written(&tensors));
        let said = all(1 << 30, None).err().unwrap().to_string();
        assert!(said.contains("no tensor model.norm.weight"), "{said}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn real_weights_are_cases_besides_and_of_an_encoder_the_only_ones() {
        let told = |name: &str, layers: Option<u32>| -> Vec<(&'static str, bool)> {
            let cases = ModelCase::all_of(name, 1 << 40, true, layers).unwrap();
            cases.iter().map(|case| (case.workload, case.is_real)).collect()
        };
        assert_eq!(told("smollm2-135m", None), [(WORKLOAD, false), ("text-quality", true)]);
        let full = ModelCase::all_of("smollm2-135m", 1 << 40, false, None).unwrap();
        let writes = full.iter().find(|case| case.workload == GENERATED);
        assert_eq!(writes.is_some(), full[1].is_here, "of weights that are not here nothing is written");
        assert!(writes.is_none_or(|case| case.is_real && case.params["layers"].0 == [Value::Int(30)]));
        assert_eq!(told("smollm2-135m", Some(1)), [(WORKLOAD, false)], "quality is one of whole models");
        assert_eq!(told("minilm-l6", None), [("embedding-quality", true); 2]);
        assert_eq!(told("whisper-base", None), [("speech-quality", true)]);
        let sounds = |quick: bool| REAL[3].case(quick).params["sounds"].0[0].clone();
        assert_eq!([sounds(true), sounds(false)], [Value::Int(3), Value::Int(10)]);
        assert_eq!(told("bert-base", None), [(WORKLOAD, false)]);
        assert_eq!(told("qwen3-vl-2b", None), [(WORKLOAD, false), ("forced-decoding-image", false)]);
        assert_eq!(told("llava-7b", Some(1)), [(WORKLOAD, false)], "no technique reaches the tower of CLIP");
        for real in &REAL {
            let case = real.case(true);
            assert_eq!(case.is_here, !case.note.contains(&format!("cargo xtask data {}", real.model)), "{}", case.note);
        }
    }
}
