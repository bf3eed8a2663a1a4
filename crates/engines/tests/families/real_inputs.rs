//! Real weights as inputs of problems: the sizes of their models, and the names and shapes of what else is drawn.

use std::collections::BTreeSet;

use benchbook_core::{Inputs, Problem};
use benchbook_models::{Names, brought, named};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::decoding::{
    ForcedDecoding, ForcedDecodingParams, Generate, GenerateParams, SMOLLM2, SMOLLM2_CONTEXT,
};
use benchbook_workloads::encoding::{
    AudioEncoder, AudioEncoderParams, MINILM, TextEncoder, TextEncoderParams, WHISPER,
};

use crate::common::SEED;

#[test]
fn sizes_are_those_of_the_descriptions() {
    let text = named("smollm2-135m").unwrap().text;
    let of = SMOLLM2;
    let sizes = [of.layers, of.heads, of.kv_heads, of.head_dim, of.width, of.hidden, of.vocabulary];
    let wanted = [text.layers, text.heads, text.kv_heads, text.head_dim, text.width, text.hidden, text.vocabulary];
    assert_eq!(sizes, wanted);
    assert_eq!((Some(of.rotary_base as f64), EPSILON), (text.rotary_base, text.epsilon));
    assert_eq!(SMOLLM2_CONTEXT, text.context);

    let text = named("minilm-l6").unwrap().text;
    let (of, [vocabulary, positions]) = MINILM;
    let sizes = [of.layers, of.heads, of.width, of.hidden, vocabulary, positions];
    assert_eq!(sizes, [text.layers, text.heads, text.width, text.hidden, text.vocabulary, text.context]);

    let audio = named("whisper-base").unwrap().audio.unwrap();
    let (of, [bins, frames]) = WHISPER;
    let sizes = [of.layers, of.heads, of.width, of.hidden, bins, frames];
    assert_eq!(sizes, [audio.layers, audio.heads, audio.width, audio.hidden, audio.bins, 2 * audio.positions]);
}

/// Names of inputs that are weights.
fn weights(inputs: &Inputs) -> BTreeSet<String> {
    let given = ["prompt", "ids", "mel"];
    inputs.iter().map(|(name, _)| name.to_owned()).filter(|name| !given.contains(&name.as_str())).collect()
}

#[test]
fn each_input_of_weights_has_a_tensor() {
    let of = |names: Names| -> BTreeSet<String> { names.names.iter().map(|(_, input)| (*input).to_owned()).collect() };
    let qwen = GenerateParams { architecture: "qwen3".to_owned(), ..GenerateParams::default() };
    let mut decoders = weights(&Generate::inputs(&qwen, SEED));
    let of_sizes = |params: &ForcedDecodingParams| weights(&ForcedDecoding::inputs(params, SEED));
    let qwen = ForcedDecodingParams { architecture: "qwen3".to_owned(), ..ForcedDecodingParams::default() };
    decoders.extend(of_sizes(&ForcedDecodingParams { experts: 4, of_experts: 4, chosen: 2, ..qwen.clone() }));
    let architecture = "glm-4".to_owned();
    let latent = ForcedDecodingParams { architecture, kv_heads: 4, query_rank: 4, kv_rank: 3, rotated: 8, ..qwen };
    decoders.extend(of_sizes(&latent));
    let (experts, of_experts, chosen, shared) = (4, 4, 2, 1);
    decoders.extend(of_sizes(&ForcedDecodingParams { experts, of_experts, chosen, shared, ..latent }));
    assert_eq!(decoders, of(Names::LLAMA));
    assert_eq!(weights(&TextEncoder::inputs(&TextEncoderParams::default(), SEED)), of(Names::BERT));
    assert_eq!(weights(&AudioEncoder::inputs(&AudioEncoderParams::default(), SEED)), of(Names::WHISPER));
}

/// The shapes of all inputs by their names.
fn shapes(inputs: &Inputs) -> Vec<(String, Vec<usize>)> {
    inputs.iter().map(|(name, array)| (name.to_owned(), array.shape().to_vec())).collect()
}

/// Whether the weights of a model were brought.
fn is_here(model: &str) -> bool {
    match brought(model) {
        Ok(_) => true,
        Err(reason) => {
            assert!(reason.contains(&format!("cargo xtask data {model}")), "{reason}");
            eprintln!("skipped: {reason}");
            false
        }
    }
}

#[test]
fn real_inputs_have_the_shapes_of_drawn_ones() {
    benchbook_workloads::real::read_by(brought);
    if is_here("minilm-l6") {
        let (of, [vocabulary, _]) = MINILM;
        let (layers, heads, width, hidden) = (of.layers, of.heads, of.width, of.hidden);
        let named = |weights: &str| {
            let weights = weights.to_owned();
            TextEncoderParams { weights, layers, heads, width, hidden, vocabulary, batch: 2, seq: 7 }
        };
        TextEncoder::check(&named("minilm-l6")).unwrap();
        let [real, drawn] = ["minilm-l6", "seeded"].map(|weights| TextEncoder::inputs(&named(weights), SEED));
        assert_eq!(shapes(&real), shapes(&drawn));
        assert_eq!(real.get("ids"), drawn.get("ids"));
    }
    if is_here("whisper-base") {
        let (of, [bins, _]) = WHISPER;
        let (layers, heads, width, hidden) = (of.layers, of.heads, of.width, of.hidden);
        let named = |weights: &str| {
            let weights = weights.to_owned();
            AudioEncoderParams { weights, layers, heads, width, hidden, bins, batch: 1, frames: 20 }
        };
        AudioEncoder::check(&named("whisper-base")).unwrap();
        let [real, drawn] = ["whisper-base", "seeded"].map(|weights| AudioEncoder::inputs(&named(weights), SEED));
        assert_eq!(shapes(&real), shapes(&drawn));
    }
}
