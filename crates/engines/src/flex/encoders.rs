//! Whole encoders on plain slices: `text-encoder` and `audio-encoder`.

use benchbook_core::{Array, DType, Inputs, Result, Row, Subject};
use benchbook_models::weights::Source;
use benchbook_models::{
    Architecture, Audio, AudioEncoder, AudioRoom, Description, Encoder, EncoderRoom, Names, Tensor, Text, pooled,
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
        let given = Given { sizes: params.sizes(), inputs, names: Names::BERT };
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
        let given = Given { sizes: params.sizes(), inputs, names: Names::WHISPER };
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

pub(super) fn subject<I: NamedInputs + 'static>(calls: Result<Calls<I, [Array; 1]>>) -> Result<Box<dyn Subject>> {
    Ok(Box::new(calls?))
}

/// What a model says, in the words of kernels.
pub(super) fn as_of_kernels(error: benchbook_models::Error) -> benchbook_simd::Error {
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
        sections: None,
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
        files: None,
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
    pub names: Names,
}

impl Source for Given<'_> {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        let known = self.names.input_of(&tensor.name).filter(|(_, layer)| *layer < self.sizes.layers);
        let Some((input, layer)) = known else {
            let found = "the inputs of the case".to_owned();
            return Err(benchbook_models::Error::Missing { name: tensor.name.clone(), found });
        };
        let count = tensor.count();
        Ok(self.inputs.numbers(input)[layer * count..][..count].to_vec())
    }
}
