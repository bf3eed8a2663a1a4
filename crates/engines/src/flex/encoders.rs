//! Whole encoders on plain slices: `text-encoder` and `audio-encoder`.

use benchbook_core::{Array, DType, Inputs, Result, Row, Subject};
use benchbook_models::weights::Source;
use benchbook_models::{
    Architecture, Audio, AudioEncoder, AudioRoom, Description, Encoder, EncoderRoom, Tensor, Text, pooled,
};
use benchbook_workloads::blocks::EPSILON;
use benchbook_workloads::encoding::{
    AudioEncoder as OfAudio, AudioEncoderParams, Sizes, TextEncoder as OfText, TextEncoderParams,
};

use crate::flex::calls::{Calls, Ids, room};
use crate::flex::row::fused_row;
use crate::flex::subject::{NamedInputs, Rows};

/// The implementation of `text-encoder`.
pub const TEXT: Row<OfText> = fused_row::<OfText>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, blocks as those of transformer-block",
    &[DType::F32],
    |name, setting, params, inputs| {
        let model = text_model(params);
        let given = Given { sizes: params.sizes(), inputs, names: &TEXT_NAMES, layers: "encoder.layer." };
        let copy = || -> benchbook_simd::Result<Reading> {
            let encoder = model.clone().checked().and_then(|model| Encoder::load(&model, &given));
            let (ids, room) = (Ids(inputs.get("ids").clone()), EncoderRoom::default());
            Ok(Reading { ids, encoder: encoder.map_err(as_of_kernels)?, room })
        };
        let TextEncoderParams { width, batch, .. } = *params;
        let kernel = move |reading: &mut Reading, [out]: &mut [Array; 1]| -> benchbook_simd::Result<()> {
            let Reading { ids, encoder, room } = reading;
            let hidden = encoder.hidden(room, ids.0.of::<i32>(), batch).map_err(as_of_kernels)?;
            pooled(hidden, width, out.of_mut::<f32>());
            Ok(())
        };
        subject(Calls::new(name, setting, copy, &[room::<f32>(vec![batch, width])], kernel))
    },
)
.catalogue(&["MO4", "MO5"]);

/// The implementation of `audio-encoder`.
pub const AUDIO: Row<OfAudio> = fused_row::<OfAudio>(
    "fused",
    "hand-written: AVX-512, AVX2 or portable, weights packed before timing, convolutions as products of three neighbours, blocks as \
     those of transformer-block",
    &[DType::F32],
    |name, setting, params, inputs| {
        let model = audio_model(params);
        let given = Given { sizes: params.sizes(), inputs, names: &AUDIO_NAMES, layers: AUDIO_LAYERS };
        let copy = || -> benchbook_simd::Result<Listening> {
            let encoder = model.clone().checked().and_then(|model| AudioEncoder::load(&model, &given));
            let (mel, room) = (inputs.get("mel").clone(), AudioRoom::default());
            Ok(Listening { mel, encoder: encoder.map_err(as_of_kernels)?, room })
        };
        let AudioEncoderParams { width, batch, frames, .. } = *params;
        let kernel = move |listening: &mut Listening, [out]: &mut [Array; 1]| -> benchbook_simd::Result<()> {
            let Listening { mel, encoder, room } = listening;
            let hidden = encoder.hidden(room, mel.of::<f32>(), batch).map_err(as_of_kernels)?;
            out.of_mut::<f32>().copy_from_slice(hidden);
            Ok(())
        };
        subject(Calls::new(name, setting, copy, &[room::<f32>(vec![batch, frames / 2, width])], kernel))
    },
)
.catalogue(&["MO20"]);

fn subject<I: NamedInputs + 'static>(calls: Result<Calls<I, [Array; 1]>>) -> Result<Box<dyn Subject>> {
    Ok(Box::new(calls?))
}

/// What a model says, in the words of kernels.
fn as_of_kernels(error: benchbook_models::Error) -> benchbook_simd::Error {
    match error {
        benchbook_models::Error::Kernel(error) => error,
        other => benchbook_simd::Error::Shape(other.to_string()),
    }
}

/// Texts, and who reads them.
struct Reading {
    ids: Ids,
    encoder: Encoder,
    room: EncoderRoom,
}

impl NamedInputs for Reading {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        (name == "ids").then_some(&mut self.ids as &mut dyn Rows)
    }
}

/// Spectrograms, and who listens.
struct Listening {
    mel: Array,
    encoder: AudioEncoder,
    room: AudioRoom,
}

impl NamedInputs for Listening {
    fn input(&mut self, name: &str) -> Option<&mut dyn Rows> {
        (name == "mel").then_some(&mut self.mel as &mut dyn Rows)
    }
}

/// The text of a model of these sizes.
pub(super) fn text(architecture: Architecture, sizes: Sizes, [vocabulary, context]: [usize; 2]) -> Text {
    let Sizes { layers, heads, width, hidden, .. } = sizes;
    Text {
        architecture,
        layers,
        heads,
        kv_heads: heads,
        head_dim: width / heads,
        width,
        hidden,
        vocabulary,
        context,
        tied: true,
        epsilon: EPSILON,
        rotary_base: None,
        experts: None,
        latent: None,
        is_part: false,
    }
}

pub(super) fn described(text: Text, audio: Option<Audio>) -> Description {
    let (name, source) = ("the model of a case".to_owned(), "its parameters".to_owned());
    Description {
        name,
        source,
        catalogue: None,
        parameters: 0,
        counted: None,
        weights: None,
        text,
        vision: None,
        audio,
    }
}

fn text_model(params: &TextEncoderParams) -> Description {
    described(text(Architecture::Bert, params.sizes(), [params.vocabulary, params.seq]), None)
}

/// Of the text of a Whisper nothing is asked but what norms add.
fn audio_model(params: &AudioEncoderParams) -> Description {
    let AudioEncoderParams { layers, heads, width, hidden, bins, frames, .. } = *params;
    let audio = Audio { layers, heads, width, hidden, bins, positions: frames / 2 };
    described(text(Architecture::Whisper, params.sizes(), [1, 1]), Some(audio))
}

/// Weights of a case, by their names in checkpoints.
pub(super) struct Given<'a> {
    pub sizes: Sizes,
    pub inputs: &'a Inputs,
    /// Names in checkpoints, and of inputs: those of a block without what stands before them.
    pub names: &'a [(&'static str, &'static str)],
    /// What stands before the number of a layer.
    pub layers: &'static str,
}

/// What stands before the number of a layer of the encoder of a Whisper.
pub(super) const AUDIO_LAYERS: &str = "model.encoder.layers.";

const TEXT_NAMES: [(&str, &str); 21] = [
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

pub(super) const AUDIO_NAMES: [(&str, &str); 22] = [
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

impl Source for Given<'_> {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        let in_layer = tensor.name.strip_prefix(self.layers).and_then(|rest| rest.split_once('.'));
        let (layer, name) = match in_layer {
            Some((layer, name)) => (layer.parse().unwrap_or(usize::MAX), name),
            None => (0, tensor.name.as_str()),
        };
        let known = self.names.iter().find(|(known, _)| *known == name).filter(|_| layer < self.sizes.layers);
        let Some((_, input)) = known else {
            let found = "the inputs of the case".to_owned();
            return Err(benchbook_models::Error::Missing { name: tensor.name.clone(), found });
        };
        let count = tensor.count();
        Ok(self.inputs.numbers(input)[layer * count..][..count].to_vec())
    }
}
