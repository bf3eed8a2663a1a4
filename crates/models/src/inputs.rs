//! The names that problems give to the tensors of a checkpoint, and the real weights of a model under these names.

use std::collections::BTreeMap;
use std::path::Path;

use crate::catalogue::named;
use crate::description::Architecture;
use crate::error::{Error, Result};
use crate::real::{self, MINILM, SMOLLM2, WHISPER};
use crate::tensors::Tensor;
use crate::weights::Source;

/// How the tensors of a checkpoint are called as inputs of a problem, where those of all layers lie in one.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Names in checkpoints, and of inputs: those of a layer without what stands before them.
    pub names: &'static [(&'static str, &'static str)],
    /// What stands before the number of a layer.
    pub layers: &'static str,
}

/// An input by its name, with its shape and its numbers.
pub type Part = (&'static str, Vec<usize>, Vec<f32>);

impl Names {
    /// Of LLaMA, Qwen3 and GLM, with their experts.
    pub const LLAMA: Self = Self { names: &OF_LLAMA, layers: "model.layers." };

    /// Of BERT, without its pooler.
    pub const BERT: Self = Self { names: &OF_BERT, layers: "encoder.layer." };

    /// Of the encoder of Whisper.
    pub const WHISPER: Self = Self { names: &OF_WHISPER, layers: "model.encoder.layers." };

    /// The input that holds a tensor, and the layer that it is of; the first one for what is of no layer.
    pub fn input_of(&self, tensor: &str) -> Option<(&'static str, usize)> {
        self.place_of(tensor, 0, None)
    }

    /// The same where each layer has so many experts: what is of one of these has its place among those of all layers, and lies in the
    /// input that a feed-forward network without experts lies in; where experts stand behind so many `dense` layers, beside a shared one,
    /// in an input of their own, and places are counted from behind these layers.
    pub fn place_of(&self, tensor: &str, experts: usize, dense: Option<usize>) -> Option<(&'static str, usize)> {
        let in_layer = tensor.strip_prefix(self.layers).and_then(|rest| rest.split_once('.'));
        let (layer, name) = match in_layer {
            Some((layer, name)) => (layer.parse::<usize>().ok()?, name),
            None => (0, tensor),
        };
        let known = |name: &str| self.names.iter().find(|(known, _)| *known == name).map(|(_, input)| *input);
        let is_routed = ["mlp.gate.", "mlp.shared_experts.", OF_EXPERT].iter().any(|at| name.starts_with(at));
        let layer = if is_routed { layer.checked_sub(dense.unwrap_or(0))? } else { layer };
        let Some(rest) = name.strip_prefix(OF_EXPERT) else { return Some((known(name)?, layer)) };
        let (expert, part) = rest.split_once('.')?;
        let expert = expert.parse::<usize>().ok().filter(|expert| *expert < experts)?;
        let at = if dense.is_some() { OF_EXPERT } else { "mlp." };
        Some((known(&format!("{at}{part}"))?, layer * experts + expert))
    }

    /// The inputs that are made of some tensors, in the order of layers; what a problem has no name for is left out.
    ///
    /// # Errors
    /// As of [`Source::numbers`].
    pub fn inputs(&self, tensors: &[Tensor], source: &dyn Source) -> Result<Vec<Part>> {
        let mut made: BTreeMap<&'static str, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
        for tensor in tensors {
            let Some((input, _)) = self.input_of(&tensor.name) else { continue };
            let of_layer = tensor.name.starts_with(self.layers);
            let first = if of_layer { vec![0] } else { Vec::new() };
            let (shape, numbers) =
                made.entry(input).or_insert_with(|| ([first, tensor.shape.clone()].concat(), Vec::new()));
            if of_layer {
                shape[0] += 1;
            }
            numbers.extend(source.numbers(tensor)?);
        }
        Ok(made.into_iter().map(|(name, (shape, numbers))| (name, shape, numbers)).collect())
    }
}

/// The real weights of a model of [`real::NAMES`] as inputs of a problem, where `cargo xtask data` has put them: of a decoder all of
/// it, its head by itself where that is the embedding too, of BERT what lies before its pooler, and of Whisper its encoder.
///
/// # Errors
/// In words: another name; weights that were not brought, or are not as they were.
pub fn brought(model: &str) -> std::result::Result<Vec<Part>, String> {
    let weights = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
    of_folder(&weights, model).map_err(|error| error.to_string())
}

fn of_folder(weights: &Path, model: &str) -> Result<Vec<Part>> {
    let source: Box<dyn Source> = match model {
        SMOLLM2 => Box::new(real::smollm2(weights)?.0),
        MINILM => Box::new(real::minilm(weights)?.0),
        WHISPER => Box::new(real::whisper(weights)?.0),
        other => return Err(Error::Unknown { name: other.to_owned(), known: real::NAMES.join(", ") }),
    };
    let model = named(model)?;
    let names = match model.text.architecture {
        Architecture::Bert => Names::BERT,
        Architecture::Whisper => Names::WHISPER,
        _ => Names::LLAMA,
    };
    let mut inputs = names.inputs(&model.tensors(), source.as_ref())?;
    if names.input_of("lm_head.weight").is_some() && model.text.tied {
        let embedding = inputs.iter().find(|(name, ..)| *name == "embedding").cloned();
        inputs.extend(embedding.map(|(_, shape, numbers)| ("head", shape, numbers)));
    }
    Ok(inputs)
}

/// What stands before the number of an expert, and then before the names of its matrices.
const OF_EXPERT: &str = "mlp.experts.";

const OF_LLAMA: [(&str, &str); 28] = [
    ("model.embed_tokens.weight", "embedding"),
    ("model.norm.weight", "last_norm"),
    ("lm_head.weight", "head"),
    ("input_layernorm.weight", "norm_1"),
    ("self_attn.q_proj.weight", "w_query"),
    ("self_attn.k_proj.weight", "w_key"),
    ("self_attn.v_proj.weight", "w_value"),
    ("self_attn.q_norm.weight", "query_gain"),
    ("self_attn.k_norm.weight", "key_gain"),
    ("self_attn.o_proj.weight", "w_out"),
    ("post_attention_layernorm.weight", "norm_2"),
    ("mlp.gate_proj.weight", "w_gate"),
    ("mlp.up_proj.weight", "w_up"),
    ("mlp.down_proj.weight", "w_down"),
    ("mlp.gate.weight", "w_router"),
    ("mlp.gate.e_score_correction_bias", "router_bias"),
    // Of experts the names without their numbers.
    ("mlp.experts.gate_proj.weight", "expert_gate"),
    ("mlp.experts.up_proj.weight", "expert_up"),
    ("mlp.experts.down_proj.weight", "expert_down"),
    ("mlp.shared_experts.gate_proj.weight", "shared_gate"),
    ("mlp.shared_experts.up_proj.weight", "shared_up"),
    ("mlp.shared_experts.down_proj.weight", "shared_down"),
    ("self_attn.q_a_proj.weight", "w_query_down"),
    ("self_attn.q_a_layernorm.weight", "query_latent_gain"),
    ("self_attn.q_b_proj.weight", "w_query"),
    ("self_attn.kv_a_proj_with_mqa.weight", "w_latent"),
    ("self_attn.kv_a_layernorm.weight", "latent_gain"),
    ("self_attn.kv_b_proj.weight", "w_key_value"),
];

const OF_BERT: [(&str, &str); 21] = [
    ("embeddings.word_embeddings.weight", "embedding"),
    ("embeddings.position_embeddings.weight", "positions"),
    ("embeddings.token_type_embeddings.weight", "kinds"),
    ("embeddings.LayerNorm.weight", "first_gain"),
    ("embeddings.LayerNorm.bias", "first_bias"),
    ("attention.self.query.weight", "w_query"),
    ("attention.self.query.bias", "b_query"),
    ("attention.self.key.weight", "w_key"),
    ("attention.self.key.bias", "b_key"),
    ("attention.self.value.weight", "w_value"),
    ("attention.self.value.bias", "b_value"),
    ("attention.output.dense.weight", "w_out"),
    ("attention.output.dense.bias", "b_out"),
    ("attention.output.LayerNorm.weight", "gain_1"),
    ("attention.output.LayerNorm.bias", "bias_1"),
    ("intermediate.dense.weight", "w_up"),
    ("intermediate.dense.bias", "b_up"),
    ("output.dense.weight", "w_down"),
    ("output.dense.bias", "b_down"),
    ("output.LayerNorm.weight", "gain_2"),
    ("output.LayerNorm.bias", "bias_2"),
];

const OF_WHISPER: [(&str, &str); 22] = [
    ("model.encoder.conv1.weight", "conv_1"),
    ("model.encoder.conv1.bias", "conv_1_bias"),
    ("model.encoder.conv2.weight", "conv_2"),
    ("model.encoder.conv2.bias", "conv_2_bias"),
    ("model.encoder.embed_positions.weight", "positions"),
    ("model.encoder.layer_norm.weight", "last_gain"),
    ("model.encoder.layer_norm.bias", "last_bias"),
    ("self_attn.q_proj.weight", "w_query"),
    ("self_attn.q_proj.bias", "b_query"),
    ("self_attn.k_proj.weight", "w_key"),
    ("self_attn.v_proj.weight", "w_value"),
    ("self_attn.v_proj.bias", "b_value"),
    ("self_attn.out_proj.weight", "w_out"),
    ("self_attn.out_proj.bias", "b_out"),
    ("self_attn_layer_norm.weight", "gain_1"),
    ("self_attn_layer_norm.bias", "bias_1"),
    ("fc1.weight", "w_up"),
    ("fc1.bias", "b_up"),
    ("fc2.weight", "w_down"),
    ("fc2.bias", "b_down"),
    ("final_layer_norm.weight", "gain_2"),
    ("final_layer_norm.bias", "bias_2"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Seeded;

    #[test]
    fn layers_lie_one_behind_the_other_in_their_input() {
        let model = named(SMOLLM2).unwrap().with_layers(2);
        let source = Seeded { seed: 7 };
        let tensors: Vec<Tensor> = model.tensors().into_iter().filter(|tensor| tensor.count() < 1 << 20).collect();
        let inputs = Names::LLAMA.inputs(&tensors, &source).unwrap();
        let of = |name: &str| inputs.iter().find(|(known, ..)| *known == name).unwrap();
        let (_, shape, numbers) = of("w_key");
        assert_eq!(shape, &[2, 192, 576]);
        let second = tensors.iter().find(|tensor| tensor.name == "model.layers.1.self_attn.k_proj.weight").unwrap();
        assert_eq!(numbers[192 * 576..], source.numbers(second).unwrap());
        assert_eq!((&of("norm_2").1, &of("last_norm").1), (&vec![2, 576], &vec![576]));
    }

    #[test]
    fn every_tensor_that_a_problem_takes_has_a_name() {
        let unnamed = |model: &str, names: Names| -> Vec<String> {
            let tensors = named(model).unwrap().tensors().into_iter().map(|tensor| tensor.name);
            tensors.filter(|name| names.input_of(name).is_none()).collect()
        };
        assert!(unnamed(SMOLLM2, Names::LLAMA).is_empty());
        assert_eq!(unnamed(MINILM, Names::BERT), ["pooler.dense.weight", "pooler.dense.bias"]);
        assert!(unnamed(WHISPER, Names::WHISPER).iter().all(|name| name.starts_with("model.decoder.")));
        assert_eq!(Names::WHISPER.input_of("model.encoder.layers.x.fc1.weight"), None);
        assert_eq!(Names::LLAMA.input_of("model.layers.17.mlp.up_proj.weight"), Some(("w_up", 17)));
        let of_expert =
            |experts: usize| Names::LLAMA.place_of("model.layers.2.mlp.experts.5.up_proj.weight", experts, None);
        assert_eq!([of_expert(0), of_expert(5), of_expert(8)], [None, None, Some(("w_up", 21))]);
        assert_eq!(Names::LLAMA.place_of("model.layers.2.mlp.gate.weight", 8, None), Some(("w_router", 2)));
        // Behind a dense layer.
        let behind = |name: &str| Names::LLAMA.place_of(&format!("model.layers.{name}"), 8, Some(1));
        assert_eq!(behind("2.mlp.experts.5.up_proj.weight"), Some(("expert_up", 13)));
        assert_eq!(behind("2.mlp.shared_experts.down_proj.weight"), Some(("shared_down", 1)));
        assert_eq!(behind("2.mlp.gate.e_score_correction_bias"), Some(("router_bias", 1)));
        assert_eq!(behind("0.mlp.gate_proj.weight"), Some(("w_gate", 0)));
        assert_eq!([behind("0.mlp.gate.weight"), behind("0.mlp.experts.5.up_proj.weight")], [None, None]);
        assert_eq!(Names::LLAMA.input_of("model.layers.1.self_attn.kv_b_proj.weight"), Some(("w_key_value", 1)));
    }

    #[test]
    fn weights_that_are_not_here_or_not_known_are_named() {
        let nothing = tempfile::tempdir().unwrap();
        let said = |model: &str| of_folder(nothing.path(), model).unwrap_err().to_string();
        assert!(said(MINILM).contains("cargo xtask data minilm-l6"));
        assert!(said("bert-base").contains("there is no model bert-base, the models are: smollm2-135m"));
    }
}
