//! A decoder that goes through a text, a piece a step.

use benchbook_core::{Array, Inputs, Loop, Looping, Metric, Result, Setting, Step, Subject};
use benchbook_models::{Decoder, Form, MOST_STEP, Plan, Session};
use benchbook_quality::{PIECES, logits};

use super::chosen::{Chosen, Which};
use super::compared::{beside, parts_at, steps};
use super::{TextQuality, TextQualityParams};
use crate::flex::calls::failed;
use crate::flex::weight_only::weight_bytes;

/// Loads a model in a form, and says what it is beside the same in `f32`; that one is gone before anything is timed.
pub fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &TextQualityParams,
    inputs: &Inputs,
    form: Form,
) -> Result<Box<dyn Subject>> {
    let wrong = |reason: String| failed(name, &setting.device, &reason);
    let (which, ids) = (params.which(), inputs.get("ids").of::<i32>().to_vec());
    let Chosen { model, source } = which.chosen().map_err(wrong)?;
    let load = |form: Form| {
        let decoder = Decoder::planned(&model, source.as_ref(), params.tokens + MOST_ROOM, &Plan::of(form));
        decoder.map_err(|error| wrong(error.to_string()))
    };
    let decoder = load(form)?;
    let baseline = if form == Form::Plain { None } else { Some(load(Form::Plain)?) };
    let found = beside(&decoder, baseline.as_ref(), &ids).map_err(wrong)?;
    let mut metrics = vec![weight_bytes(decoder.matrix_bytes())];
    if which == Which::Seeded {
        metrics.extend(found.seeded());
    } else {
        metrics.extend(found.figures(which.data()).map_err(wrong)?);
        let parts = baseline.as_ref().map(|baseline| parts_at([baseline, &decoder], &ids));
        metrics.extend(parts.transpose().map_err(wrong)?);
    }
    drop(baseline);
    let session = Session::new(&decoder, params.tokens, MOST_STEP).map_err(|error| wrong(error.to_string()))?;
    let device = setting.device.clone();
    let losses = Vec::with_capacity(PIECES * params.tokens);
    let looped = Evaluating { name, device, decoder, session, ids, piece: 0, losses, metrics };
    Ok(Box::new(Looping::new(name, setting, &TextQuality::steps(params), looped)))
}

/// Positions that greedy generation may have beside those of a piece.
const MOST_ROOM: usize = 64;

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
