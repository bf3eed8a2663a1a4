//! Techniques of whole models held against text and what people say: each is an implementation beside `decoder` or `encoder`.

use std::hash::{DefaultHasher, Hash as _};

use benchbook_core::{Inputs, Reference, Result, Setting, Subject, Support};
use benchbook_models::technique::{self, Applied, Change, Encoding, Technique};
use benchbook_models::weights::Source;
use benchbook_models::{
    AudioRoom, Decoder, Description, EncoderRoom, Form, Forms, Keeps, MOST_STEP, Plan, Session, Tensor,
};
use benchbook_workloads::decoding::{Otherwise, Rounded};
use benchbook_workloads::encoding::Merges;

use super::chosen::Chosen;
use super::embedding::{EmbeddingQuality, EmbeddingQualityParams};
use super::evaluating::{Loaded, positions};
use super::speech::{SpeechQuality, SpeechQualityParams};
use super::{TextQuality, TextQualityParams, bert, embedded, hearing, reference};
use crate::flex::calls::failed;
use crate::flex::searched;
use crate::flex::technical::{Changed, Technical};
use crate::flex::techniques::{levels, parted};
use crate::flex::told::told;

/// What a comparison may fail by.
type Reason = String;

/// Techniques of decoders, as implementations of `text-quality`: all but those of depth, of chunks and of guesses. A token leaves the
/// layers early only where it comes alone, those of a text that is known come together, some at a time, and nobody guesses them.
pub fn of_text() -> impl Iterator<Item = Changed<TextQuality>> {
    let is_seen = |technique: &&Technique| {
        let is_other = matches!(technique.change, Change::Exit(_) | Change::Chunks(_) | Change::Guesses(_));
        technique.is_of_decoders() && !is_other
    };
    technique::ALL.iter().filter(is_seen).map(Changed::by)
}

/// Those of encoders of texts, as implementations of `embedding-quality`.
pub fn of_embeddings() -> impl Iterator<Item = Changed<EmbeddingQuality>> {
    technique::ALL.iter().filter(|technique| technique.is_of_encoders(false)).map(Changed::by)
}

/// Those of encoders of sounds, as implementations of `speech-quality`: the half that writes stays as it is.
pub fn of_sounds() -> impl Iterator<Item = Changed<SpeechQuality>> {
    technique::ALL.iter().filter(|technique| technique.is_of_encoders(true)).map(Changed::by)
}

/// The plain numbers that a model with a technique stands for.
struct StandsFor<'a>(&'a Applied<'a>);

impl Source for StandsFor<'_> {
    fn numbers(&self, tensor: &Tensor) -> benchbook_models::Result<Vec<f32>> {
        self.0.numbers(tensor)
    }
}

/// What `with` makes of a case's model with a technique, of its description and its weights.
fn applied<T>(
    technique: &Technique,
    params: &TextQualityParams,
    with: impl FnOnce(&Description, &dyn Source, &Applied) -> benchbook_models::Result<T>,
) -> Result<T, Reason> {
    let Chosen { model, source } = params.which().chosen()?;
    // A name stands for the same weights while a process lives.
    let weights = |hasher: &mut DefaultHasher| (&params.model, &params.digest).hash(hasher);
    let made = searched::applied(technique, &model, source.as_ref(), positions(params), weights);
    made.and_then(|applied| with(&model, source.as_ref(), &applied)).map_err(|error| error.to_string())
}

impl Technical for TextQuality {
    const ON_REQUEST: bool = true;

    fn takes(params: &TextQualityParams, technique: &Technique) -> Support {
        let refused = match (params.is_here(), params.which().described()) {
            (Support::Yes, Ok(model)) => technique.refuses(&model).map(|why| format!("not applicable: {why}")),
            (Support::Yes, Err(why)) => Some(why),
            (no @ Support::No(_), _) => return no,
        };
        refused.map_or(Support::Yes, Support::No)
    }

    fn prepared(
        technique: &'static Technique,
        setting: &Setting,
        params: &TextQualityParams,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>> {
        let name = technique.name;
        let loaded = applied(technique, params, |model, source, applied| {
            let decoder = applied.decoder()?;
            let plain = Decoder::load(model, source, positions(params))?;
            let metrics = told(&decoder, Some((&plain, applied.tried.as_slice())));
            Ok(Loaded { decoder, plain: Some(plain), metrics })
        });
        let loaded = loaded.map_err(|reason| failed(name, &setting.device, &reason))?;
        loaded.subject(name, setting, params, inputs)
    }

    fn searched(technique: &'static Technique, params: &TextQualityParams, _inputs: &Inputs) -> Result<bool> {
        let made = applied(technique, params, |_, _, applied| Ok(applied.has_searched));
        made.map_err(|reason| failed(technique.name, "flex", &reason))
    }

    /// The tokens that are checked are fewer than the narrowest window shows, so that a window changes no answer.
    fn right(
        technique: &'static Technique,
        params: &TextQualityParams,
        inputs: &Inputs,
        _seed: u64,
    ) -> Option<Reference> {
        let ids = Self::checked(params, inputs);
        let losses = applied(technique, params, |model, _, applied| {
            let of = |otherwise: Otherwise<'_>| {
                let Plan { least, scan, .. } = applied.plan;
                let otherwise = Otherwise { least, scan, ..otherwise };
                reference::losses(&applied.description, &StandsFor(applied), Form::Plain, ids, otherwise)
            };
            let decides = matches!(technique.change, Change::Keeps(Keeps { bits: Some(_), .. }) | Change::Experts(_));
            if !decides {
                return of(Otherwise::default());
            }
            let decoder = applied.decoder()?;
            let mut session = Session::new(&decoder, ids.len(), MOST_STEP)?;
            session.step(&decoder, &ids[..ids.len() - 1])?;
            let layers: Vec<[Vec<f32>; 2]> =
                (0..model.text.layers).filter_map(|layer| session.rounded(&decoder, layer)).collect();
            let bits = applied.plan.keeps.bits;
            let cache = bits.map(|bits| Rounded { layers: &layers, levels: levels(bits) });
            of(Otherwise { cache, parted: parted(applied, &session), ..Otherwise::default() })
        });
        Some(Self::answer(params, losses))
    }
}

/// Whether a model that is here, or not, has an encoder that takes a technique.
fn encodes(here: Support, model: std::result::Result<Description, Reason>, technique: &Technique) -> Support {
    match (here, model) {
        (Support::Yes, Ok(model)) => match technique.refuses_to_encode(&model) {
            Some(why) => Support::No(format!("not applicable: {why}")),
            None => Support::Yes,
        },
        (Support::Yes, Err(why)) => Support::No(why),
        (no @ Support::No(_), _) => no,
    }
}

/// What `with` makes of the encoder of a case with a technique.
fn encoding<T>(
    technique: &Technique,
    params: &EmbeddingQualityParams,
    with: impl FnOnce(&Encoding) -> benchbook_models::Result<T>,
) -> Result<T, Reason> {
    let Chosen { model, source } = params.chosen(&Forms::default())?;
    let made = technique.encoding(&model, source.as_ref()).and_then(|encoding| with(&encoding));
    made.map_err(|error| error.to_string())
}

impl Technical for EmbeddingQuality {
    const ON_REQUEST: bool = true;

    fn takes(params: &EmbeddingQualityParams, technique: &Technique) -> Support {
        encodes(params.is_here(), params.described(), technique)
    }

    fn prepared(
        technique: &'static Technique,
        setting: &Setting,
        params: &EmbeddingQualityParams,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>> {
        let encoder = encoding(technique, params, |encoding| encoding.text());
        embedded::prepare(technique.name, setting, params, inputs, Some(encoder))
    }

    fn right(
        technique: &'static Technique,
        params: &EmbeddingQualityParams,
        inputs: &Inputs,
        _seed: u64,
    ) -> Option<Reference> {
        let direction = encoding(technique, params, |encoding| {
            let (text, percent, mut room) = (Self::checked(inputs), encoding.plan.merged, EncoderRoom::default());
            if percent > 0 {
                encoding.text()?.hidden(&mut room, text, 1)?;
            }
            let merges = (percent > 0).then_some(Merges { of: room.merges(), percent });
            bert::direction(&encoding.model, encoding, text, merges)
        });
        Some(Self::answer(params, inputs, direction))
    }
}

impl Technical for SpeechQuality {
    const ON_REQUEST: bool = true;

    fn takes(params: &SpeechQualityParams, technique: &Technique) -> Support {
        encodes(params.is_here(), params.described(), technique)
    }

    fn prepared(
        technique: &'static Technique,
        setting: &Setting,
        params: &SpeechQualityParams,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>> {
        hearing::prepare(technique.name, setting, params, inputs, Some(technique))
    }

    fn right(
        technique: &'static Technique,
        params: &SpeechQualityParams,
        inputs: &Inputs,
        _seed: u64,
    ) -> Option<Reference> {
        let positions = params.chosen().and_then(|(Chosen { model, source }, _)| {
            let made = technique.encoding(&model, source.as_ref()).and_then(|encoding| {
                let (percent, mut room) = (encoding.plan.merged, AudioRoom::default());
                if percent > 0 {
                    encoding.audio()?.hidden(&mut room, inputs.numbers("mel"), 1)?;
                }
                let merges = (percent > 0).then_some(Merges { of: room.merges(), percent });
                Self::encoded((&encoding.model, &encoding), inputs, encoding.plan.quiet, merges)
            });
            made.map_err(|error| error.to_string())
        });
        Some(Self::answer(params, positions))
    }
}
