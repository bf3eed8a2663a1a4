//! Techniques of whole models held against text and what people say: each is an implementation beside `decoder` or `encoder`.

use std::hash::{DefaultHasher, Hash as _};

use benchbook_core::{Inputs, Reference, Result, Setting, Subject, Support};
use benchbook_models::technique::{self, Applied, Change, Technique};
use benchbook_models::weights::Source;
use benchbook_models::{Decoder, Description, Form, Forms, Keeps, MOST_STEP, Plan, Session, Tensor};
use benchbook_workloads::decoding::{Otherwise, Rounded};

use super::chosen::Chosen;
use super::embedding::{EmbeddingQuality, EmbeddingQualityParams};
use super::evaluating::{Loaded, positions};
use super::{TextQuality, TextQualityParams, embedded, reference};
use crate::flex::calls::failed;
use crate::flex::searched;
use crate::flex::technical::{Changed, Technical};
use crate::flex::techniques::{levels, parted, told};

/// What a comparison may fail by.
type Reason = String;

/// Techniques of decoders, as implementations of `text-quality`: all but those of depth, of chunks and of guesses. A token leaves the layers
/// early only where it comes alone, those of a text that is known come together, some at a time, and nobody guesses them.
pub fn of_text() -> impl Iterator<Item = Changed<TextQuality>> {
    let is_seen =
        |technique: &&Technique| !matches!(technique.change, Change::Exit(_) | Change::Chunks(_) | Change::Guesses(_));
    technique::ALL.iter().filter(is_seen).map(Changed::by)
}

/// Those whose matrices have another form, as implementations of `embedding-quality`: an encoder multiplies by the numbers that they
/// stand for, in `f32`, so that only its quality is another.
pub fn of_embeddings() -> impl Iterator<Item = Changed<EmbeddingQuality>> {
    technique::ALL.iter().filter(|technique| forms(technique).is_some()).map(Changed::by)
}

/// The forms of matrices, where these are all that a technique changes.
fn forms(technique: &Technique) -> Option<Forms> {
    match technique.change {
        Change::All(form) | Change::Layers(form) => Some(Forms { attention: form, feed: form, ..Forms::default() }),
        Change::Feed(form) => Some(Forms { feed: form, ..Forms::default() }),
        _ => None,
    }
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
    let weights = |hasher: &mut DefaultHasher| params.model.hash(hasher);
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

impl Technical for EmbeddingQuality {
    const ON_REQUEST: bool = true;

    fn takes(params: &EmbeddingQualityParams, _technique: &Technique) -> Support {
        params.is_here()
    }

    fn prepared(
        technique: &'static Technique,
        setting: &Setting,
        params: &EmbeddingQualityParams,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>> {
        embedded::prepare(technique.name, setting, params, inputs, &forms(technique).unwrap_or_default())
    }

    fn right(
        technique: &'static Technique,
        params: &EmbeddingQualityParams,
        inputs: &Inputs,
        _seed: u64,
    ) -> Option<Reference> {
        Some(Self::rounded(params, inputs, &forms(technique).unwrap_or_default()))
    }
}
