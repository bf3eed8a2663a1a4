//! A decoder that goes through a text, a piece a step.

use benchbook_core::{Array, Inputs, Loop, Looping, Metric, Result, Setting, Step, Subject};
use benchbook_models::{Decoder, Form, MOST_STEP, Plan, Session};
use benchbook_quality::{Estimate, PIECES, logits};

use super::chosen::{Chosen, Which};
use super::compared::{beside, parts_at, steps};
use super::{TextQuality, TextQualityParams};
use crate::flex::calls::failed;
use crate::flex::models::broken;
use crate::flex::weight_only::weight_bytes;

/// A decoder that is going to foretell a text, the same model as it is, where that is another, and what is known of both.
pub struct Loaded {
    /// The one that is timed.
    pub decoder: Decoder,
    /// What it is held against, which is gone before anything is timed.
    pub plain: Option<Decoder>,
    /// What is known already.
    pub metrics: Vec<Metric>,
}

/// Loads a model in a form, and says what it is beside the same in `f32`, and where greedy generation by both parts.
pub fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &TextQualityParams,
    inputs: &Inputs,
    form: Form,
) -> Result<Box<dyn Subject>> {
    let wrong = |reason: String| failed(name, &setting.device, &reason);
    let Chosen { model, source } = params.which().chosen().map_err(wrong)?;
    let load = |form: Form| {
        let decoder = Decoder::planned(&model, source.as_ref(), positions(params), &Plan::of(form));
        decoder.map_err(|error| wrong(error.to_string()))
    };
    let decoder = load(form)?;
    let plain = if form == Form::Plain { None } else { Some(load(Form::Plain)?) };
    let mut metrics = vec![weight_bytes(decoder.matrix_bytes())];
    if params.which() != Which::Seeded {
        let (ids, data) = (inputs.get("ids").of::<i32>(), params.which().data(params.corpus()));
        let parts = plain.as_ref().map(|plain| parts_at([plain, &decoder], ids, data));
        metrics.extend(parts.transpose().map_err(wrong)?.iter().flat_map(Estimate::metrics));
    }
    Loaded { decoder, plain, metrics }.subject(name, setting, params, inputs)
}

/// Positions that greedy generation may have beside those of a piece.
const MOST_ROOM: usize = 64;

/// Positions that there is room for.
pub fn positions(params: &TextQualityParams) -> usize {
    params.tokens + MOST_ROOM
}

impl Loaded {
    /// The loop over the text, with what the decoder is beside the model as it is.
    ///
    /// # Errors
    /// A text that it cannot read, or answers that are no numbers.
    pub fn subject(
        self,
        name: &'static str,
        setting: &Setting,
        params: &TextQualityParams,
        inputs: &Inputs,
    ) -> Result<Box<dyn Subject>> {
        let Self { mut decoder, plain, mut metrics } = self;
        let wrong = |reason: String| failed(name, &setting.device, &reason);
        let (which, ids) = (params.which(), inputs.get("ids").of::<i32>().to_vec());
        if which != Which::Seeded {
            // Of a text that is too short, what stands there is none of it.
            params.ids(0).map_err(wrong)?;
        }
        let found = match beside(&decoder, plain.as_ref(), &ids) {
            Ok(found) => found,
            Err(reason) => return Err(wrong(broken(&mut decoder, &ids[..params.tokens]).unwrap_or(reason))),
        };
        drop(plain);
        if which == Which::Seeded {
            metrics.extend(found.seeded());
        } else {
            metrics.extend(found.estimates(which.data(params.corpus())).map_err(wrong)?);
        }
        let session = Session::new(&decoder, params.tokens, MOST_STEP).map_err(|error| wrong(error.to_string()))?;
        metrics.push(Metric::modelled("cache_bytes", session.cache_bytes() as f64, "bytes"));
        let device = setting.device.clone();
        let losses = Vec::with_capacity(PIECES * params.tokens);
        let looped = Evaluating { name, device, decoder, session, ids, piece: 0, losses, metrics };
        Ok(Box::new(Looping::new(name, setting, &TextQuality::steps(params), looped)))
    }
}

struct Evaluating {
    name: &'static str,
    device: String,
    decoder: Decoder,
    session: Session,
    /// `[pieces, tokens + 1]`
    ids: Vec<i32>,
    piece: usize,
    losses: Vec<f64>,
    metrics: Vec<Metric>,
}

impl Loop for Evaluating {
    fn begin(&mut self) {
        self.piece = 0;
        self.losses.clear();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let length = self.ids.len() / PIECES;
        let (vocabulary, before) = (self.decoder.text().vocabulary, self.losses.len());
        self.session.keep(0);
        let piece = self.ids[self.piece * length..][..length].to_vec();
        for (given, targets) in steps(&piece) {
            let Self { name, device, decoder, session, losses, .. } = self;
            let logits = session.step(decoder, given).map_err(|error| failed(name, device, &error.to_string()))?;
            let found = logits::losses(logits, &targets, vocabulary);
            losses.extend(found.map_err(|error| failed(name, device, &error.to_string()))?);
        }
        if let Some(value) = values.first_mut() {
            let losses = &self.losses[before..];
            *value = (losses.iter().sum::<f64>() / losses.len() as f64).exp();
        }
        self.piece += 1;
        Ok(Step { tokens: 0, more: self.piece < PIECES })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let losses: Vec<f32> = self.losses.iter().map(|loss| *loss as f32).collect();
        Ok(vec![Array::new(vec![losses.len(), 1], &losses)])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
