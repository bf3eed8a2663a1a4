//! Whole models that hear and write, on plain slices: `multimodal`; and the loop of all that write of what they perceive.

use benchbook_core::{Array, DType, Loop, Metric, Result, Row, Step};
use benchbook_models::{Architecture, Audio, AudioEncoder, AudioRoom, Decoder, Names, Session};
use benchbook_workloads::decoding::{Multimodal, MultimodalParams};

use super::decoding::best;
use super::encoders::{Given, described, text};
use super::models::{MOST_CHUNK, Running, failed, looping};
use crate::flex::row::fused_row;
use crate::flex::weight_only::weight_bytes;

/// The implementation of `multimodal`.
pub const HEARING: Row<Multimodal> = fused_row::<Multimodal>(
    "kv-cache",
    "what was heard becomes keys and values once, and those of earlier positions are kept; everything hand-written: AVX-512, AVX2 or \
     portable",
    &[DType::F32],
    |name, setting, params, inputs| {
        let MultimodalParams { width, hidden, heads, bins, frames, vocabulary, prompt, tokens, .. } = *params;
        let (hearing, room) = (params.hearing(), prompt + tokens);
        let audio = Audio { layers: hearing.layers, heads, width, hidden, bins, positions: frames / 2 };
        let text = text(Architecture::Whisper, hearing.sizes(), [vocabulary, room]);
        let given = |names| Given { sizes: hearing.sizes(), inputs, names };
        let made = described(text, Some(audio)).checked().and_then(|model| {
            let encoder = AudioEncoder::load(&model, &given(Names::WHISPER))?;
            Ok((encoder, Decoder::load(&model, &given(WRITING), room)?))
        });
        let (encoder, decoder) = made.map_err(|error| failed(name, &setting.device, &error))?;
        let running = Running::of(name, setting, decoder, inputs, [room, prompt.min(MOST_CHUNK)]);
        let hearing = Hearing { encoder, mel: inputs.get("mel").clone(), room: AudioRoom::default() };
        let telling = Telling { running, sense: hearing, made: Vec::with_capacity(tokens), wanted: tokens, keeps: true };
        Ok(looping(name, setting, &Multimodal::steps(params), telling))
    },
)
.catalogue(&["MO20", "WL3"]);

/// Names of the tensors of the decoder.
const WRITING: Names = Names { names: &TEXT_NAMES, layers: "model.decoder.layers." };

const TEXT_NAMES: [(&str, &str); 28] = [
    ("model.decoder.embed_tokens.weight", "embedding"),
    ("model.decoder.embed_positions.weight", "places"),
    ("model.decoder.layer_norm.weight", "end_gain"),
    ("model.decoder.layer_norm.bias", "end_bias"),
    ("self_attn.q_proj.weight", "own_query"),
    ("self_attn.q_proj.bias", "own_query_bias"),
    ("self_attn.k_proj.weight", "own_key"),
    ("self_attn.v_proj.weight", "own_value"),
    ("self_attn.v_proj.bias", "own_value_bias"),
    ("self_attn.out_proj.weight", "own_out"),
    ("self_attn.out_proj.bias", "own_out_bias"),
    ("self_attn_layer_norm.weight", "own_gain"),
    ("self_attn_layer_norm.bias", "own_shift"),
    ("encoder_attn.q_proj.weight", "about_query"),
    ("encoder_attn.q_proj.bias", "about_query_bias"),
    ("encoder_attn.k_proj.weight", "about_key"),
    ("encoder_attn.v_proj.weight", "about_value"),
    ("encoder_attn.v_proj.bias", "about_value_bias"),
    ("encoder_attn.out_proj.weight", "about_out"),
    ("encoder_attn.out_proj.bias", "about_out_bias"),
    ("encoder_attn_layer_norm.weight", "about_gain"),
    ("encoder_attn_layer_norm.bias", "about_shift"),
    ("fc1.weight", "text_up"),
    ("fc1.bias", "text_up_bias"),
    ("fc2.weight", "text_down"),
    ("fc2.bias", "text_down_bias"),
    ("final_layer_norm.weight", "text_gain"),
    ("final_layer_norm.bias", "text_shift"),
];

/// Who perceives something, and puts it before a decoder.
pub(super) trait Sense {
    /// The input that holds it.
    const INPUT: &'static str;

    /// What is perceived, to overwrite.
    fn given(&mut self) -> &mut Array;

    /// Begins a text about it, and gives the logits behind the tokens of that.
    ///
    /// # Errors
    /// What encoder and decoder say.
    fn begin<'a>(
        &mut self,
        decoder: &Decoder,
        session: &'a mut Session,
        tokens: &[i32],
    ) -> benchbook_models::Result<&'a [f32]>;
}

/// Who perceives, and writes of it.
pub(super) struct Telling<S> {
    pub running: Running,
    pub sense: S,
    pub made: Vec<i32>,
    pub wanted: usize,
    /// Whether keys and values are kept from step to step; otherwise all is computed anew for each token.
    pub keeps: bool,
}

/// Who hears.
struct Hearing {
    encoder: AudioEncoder,
    mel: Array,
    room: AudioRoom,
}

impl Sense for Hearing {
    const INPUT: &'static str = "mel";

    fn given(&mut self) -> &mut Array {
        &mut self.mel
    }

    fn begin<'a>(
        &mut self,
        decoder: &Decoder,
        session: &'a mut Session,
        tokens: &[i32],
    ) -> benchbook_models::Result<&'a [f32]> {
        session.hear(decoder, self.encoder.hidden(&mut self.room, self.mel.of::<f32>(), 1)?)?;
        session.prefill(decoder, tokens)
    }
}

impl<S: Sense> Loop for Telling<S> {
    fn begin(&mut self) {
        self.running.begin();
        self.made.clear();
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        let Self { running, sense, made, wanted, keeps } = self;
        let token = running.with(|decoder, session, prompt| {
            let logits = match made.last() {
                None => sense.begin(decoder, session, prompt)?,
                Some(id) if *keeps => session.step(decoder, &[*id])?,
                Some(_) => {
                    session.keep(0);
                    sense.begin(decoder, session, &[prompt, made.as_slice()].concat())?
                }
            };
            Ok(best(logits))
        })?;
        made.push(token as i32);
        Ok(Step { tokens: 1, more: made.len() < *wanted })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let tokens: Vec<i64> = self.made.iter().map(|id| i64::from(*id)).collect();
        Ok(vec![Array::new(vec![tokens.len(), 1], &tokens)])
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![weight_bytes(self.running.decoder().0.matrix_bytes())]
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn write(&mut self, input: &str, first: usize, values: &[f32]) -> Result<bool> {
        if input == S::INPUT {
            self.sense.given().write(first, values);
            return Ok(true);
        }
        Ok(self.running.write(input, values))
    }
}
