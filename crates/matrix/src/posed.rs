//! Which workload takes a model with the sizes that were published.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

use benchbook_core::{Params, Problem as _, Registry, Value};
use benchbook_models::{Architecture, Description, Tier, Tower, all, named};
use benchbook_workloads::decoding::{
    ForcedDecoding, ForcedImage, GreedyDecoding, Multimodal, MultimodalImage, Tower as Looking,
};
use benchbook_workloads::encoding::TextEncoder;
use benchbook_workloads::training::Gpt2Training;

use crate::cases::is_decoded;
use crate::error::Result;
use crate::forced::Share;
use crate::looking;

/// A workload that takes a model whole: all layers, heads, experts and tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Posed {
    /// The name of the model.
    pub model: &'static str,
    /// Its row of the catalogue, where it has one.
    pub catalogue: Option<String>,
    /// The workload.
    pub workload: &'static str,
    /// The parameters that give it these sizes.
    pub params: Params,
}

/// As evidence names it: `gpt2-124m by greedy-decoding`.
impl Display for Posed {
    fn fmt(&self, f: &mut Formatter) -> std::fmt::Result {
        write!(f, "{} by {}", self.model, self.workload)
    }
}

/// Tokens that are given, and those that are made or judged: enough for a case, and within every context.
const TEXTS: [usize; 2] = [16, 16];

/// Every model in every workload that takes it whole.
///
/// # Errors
/// A description that cannot be read.
pub fn posed() -> Result<Vec<Posed>> {
    let (registry, mut found) = (benchbook_workloads::problems(), Vec::new());
    for model in all() {
        let described = named(model)?;
        for (workload, params) in sizes(model, &described) {
            if takes(&registry, workload, &params) {
                found.push(Posed { model, catalogue: described.catalogue.clone(), workload, params });
            }
        }
    }
    Ok(found)
}

/// The models of a tier, by its name in any case.
///
/// # Errors
/// No tier is called so, or a description cannot be read.
pub fn of_tier(name: &str) -> Result<Vec<&'static str>> {
    let known = [Tier::Small, Tier::Medium, Tier::Large, Tier::Xl];
    let tier = known.into_iter().find(|tier| tier.name().eq_ignore_ascii_case(name));
    let tier = tier.ok_or_else(|| benchbook_core::unknown("tier", name, known.map(Tier::name)))?;
    let of = |model: &'static str| -> Result<(&'static str, Tier)> { Ok((model, named(model)?.tier())) };
    let tiers = all().map(of).collect::<Result<Vec<_>>>()?;
    Ok(tiers.into_iter().filter(|(_, own)| *own == tier).map(|(model, _)| model).collect())
}

fn takes(registry: &Registry, workload: &str, params: &Params) -> bool {
    registry.case(workload, params.clone()).is_ok()
}

/// Workloads that may take a model, each with its sizes.
fn sizes(model: &str, described: &Description) -> Vec<(&'static str, Params)> {
    let text = &described.text;
    let [prompt, tokens] = TEXTS;
    let common = [("layers", text.layers), ("heads", text.heads), ("width", text.width)];
    let with = |more: &[(&str, usize)]| {
        let all = common.iter().chain(more);
        all.fold(Params::default(), |params, (name, size)| params.with(name, Value::Int(*size as i64)))
    };
    let (hidden, vocabulary) = (("hidden", text.hidden), ("vocabulary", text.vocabulary));
    let mut found = Vec::new();
    match text.architecture {
        // The feed-forward network of these workloads is four times as wide as a position.
        Architecture::Gpt2 if text.hidden == 4 * text.width => {
            found.push((GreedyDecoding::NAME, with(&[vocabulary, ("prompt", prompt), ("tokens", tokens)])));
            found.push((Gpt2Training::NAME, with(&[vocabulary, ("batch", 1), ("seq", prompt), ("steps", 1)])));
        }
        Architecture::Bert => {
            found.push((TextEncoder::NAME, with(&[hidden, vocabulary, ("batch", 1), ("seq", prompt)])));
        }
        _ => {}
    }
    // Of a model that looks, the text part is decoded.
    if is_decoded(&Description { vision: None, ..described.clone() }) {
        let of_experts = text.experts.as_ref().map_or(0, |experts| experts.count);
        let (layers, of_layers) = (text.layers, text.layers);
        let whole = Share { layers, of_layers, fits: 0, of_experts, texts: TEXTS, is_here: true };
        found.push((ForcedDecoding::NAME, Params(whole.of(model, text))));
    }
    if let Some(audio) = &described.audio
        && [audio.layers, audio.heads, audio.width, audio.hidden] == [text.layers, text.heads, text.width, text.hidden]
    {
        let heard = [("bins", audio.bins), ("frames", 2 * audio.positions)];
        let spoken = [hidden, vocabulary, ("prompt", prompt), ("tokens", tokens)];
        found.push((Multimodal::NAME, with(&[heard.as_slice(), spoken.as_slice()].concat())));
    }
    if let Some(vision) = &described.vision {
        let texts =
            [("prompt", prompt), ("tokens", tokens)].map(|(name, size)| (name.to_owned(), Value::Int(size as i64)));
        let params: BTreeMap<String, Value> =
            looking::sizes(text, vision, looking::SIDE).into_iter().chain(texts).collect();
        if looking::looks(described) {
            let whole = params.clone().into_iter().chain(looking::of_whole(model, described));
            found.push((ForcedImage::NAME, Params(whole.collect())));
        }
        let tower = match vision.tower {
            Tower::Qwen3Vl => Looking::QWEN3_VL,
            Tower::Clip => Looking::CLIP,
        };
        found.push((MultimodalImage::NAME, Params(params).with("tower", Value::Text(tower.to_owned()))));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_model_is_taken_whole_by_a_workload_of_its_architecture() {
        let found = posed().unwrap();
        let of = |model: &str| -> Vec<&str> {
            found.iter().filter(|one| one.model == model).map(|one| one.workload).collect()
        };
        for model in all() {
            assert!(!of(model).is_empty(), "{model}");
        }
        assert_eq!(of("gpt2-1.5b"), ["greedy-decoding", "gpt2-training"]);
        assert_eq!(of("llama-70b"), ["forced-decoding"]);
        assert_eq!(of("bert-large"), ["text-encoder"]);
        assert_eq!(of("whisper-large"), ["multimodal"]);
        assert_eq!(of("qwen3-vl-2b"), ["forced-decoding", "forced-decoding-image", "multimodal-image"]);
        assert_eq!(of("llava-7b"), ["forced-decoding", "multimodal-image"]);
        let glm = found.iter().find(|one| one.model == "glm-4.7-flash").unwrap();
        let size = |name: &str| glm.params.0[name].clone();
        assert_eq!([size("layers"), size("experts"), size("vocabulary")], [47, 64, 154_880].map(Value::Int));
        assert_eq!(glm.catalogue.as_deref(), Some("MO18"));
    }

    #[test]
    fn every_model_has_one_tier_and_tiers_are_known_by_any_case() {
        let tiers = ["small", "medium", "large", "xl"].map(|name| of_tier(name).unwrap());
        let models: Vec<&str> = tiers.concat();
        let distinct: BTreeSet<&str> = models.iter().copied().collect();
        assert_eq!((models.len(), distinct), (all().count(), all().collect()));
        assert!(
            tiers[0].contains(&"smollm2-135m") && tiers[3].contains(&"llama-70b") && tiers[1].contains(&"gpt2-355m")
        );
        let wrong = of_tier("huge").unwrap_err().to_string();
        assert!(wrong.contains("unknown tier `huge`"), "{wrong}");
    }
}
