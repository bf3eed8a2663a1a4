//! An encoder that goes through texts, a piece of them a step.

use benchbook_core::{Array, Inputs, Loop, Looping, Metric, Result, Setting, Step, Subject};
use benchbook_models::{Encoder, Forms};
use benchbook_quality::similarity::mean_cosine;
use benchbook_quality::{Of, PIECES, pieces};

use super::embedding::{EmbeddingQuality, EmbeddingQualityParams};
use super::labelled::{Judged, Labelled, means, nearer};
use crate::flex::calls::failed;
use crate::flex::told::kept;
use crate::flex::weight_only::weight_bytes;

/// What an encoder makes of everything, before anything is timed.
struct Whole {
    encoder: Encoder,
    directions: Vec<Vec<f32>>,
    /// Of each class, where there are classes.
    means: Option<[Vec<f32>; 2]>,
    found: Vec<usize>,
}

/// Says how the directions of an encoder go with what people say, beside those of the model as it is, which it is where there is no
/// other.
pub fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &EmbeddingQualityParams,
    inputs: &Inputs,
    other: Option<std::result::Result<Encoder, String>>,
) -> Result<Box<dyn Subject>> {
    let wrong = |reason: String| failed(name, &setting.device, &reason);
    // What people say is the same for every seed, and so are the texts of a real model.
    let labelled = Labelled { texts: texts_of(inputs), ..params.labelled(0).map_err(wrong)? };
    let as_it_is = params.loaded(&Forms::default()).and_then(|encoder| whole(encoder, &labelled)).map_err(wrong)?;
    let other =
        other.map(|encoder| encoder.and_then(|encoder| whole(encoder, &labelled))).transpose().map_err(wrong)?;
    let (own, plain) = match other {
        Some(other) => (other, Some(as_it_is)),
        None => (as_it_is, None),
    };
    let held = own.encoder.held();
    let mut metrics = vec![weight_bytes(held.bytes)];
    if let Some(plain) = &plain {
        let (all, model) = (plain.encoder.held().numbers, params.described().map_err(wrong)?);
        metrics.extend(kept([held.numbers, all], (model.counted_parameters() as usize).saturating_sub(all)));
        let of = Of { data: labelled.judged.data(), item: "text" };
        let estimate = mean_cosine(&plain.directions, &own.directions, of);
        metrics.extend(estimate.map_err(|error| wrong(error.to_string()))?.metrics());
    }
    let baseline = plain.as_ref().map(|plain| plain.found.as_slice());
    let estimates = labelled.judged.estimates(&own.directions, &own.found, baseline);
    metrics.extend(estimates.map_err(|error| wrong(error.to_string()))?);
    let truth = match labelled.judged {
        Judged::For { truth, .. } => truth,
        Judged::Nothing | Judged::Similar(_) => Vec::new(),
    };
    let Whole { encoder, means, .. } = own;
    let parts = pieces(labelled.texts.len(), "text").map_err(|error| wrong(error.to_string()))?.collect();
    let (device, texts) = (setting.device.clone(), labelled.texts);
    let looped =
        Embedding { name, device, encoder, texts, parts, truth, means, directions: Vec::new(), piece: 0, metrics };
    Ok(Box::new(Looping::new(name, setting, &EmbeddingQuality::steps(params), looped)))
}

/// The texts of a case.
fn texts_of(inputs: &Inputs) -> Vec<Vec<i32>> {
    let mut ids = inputs.get("ids").of::<i32>();
    let lengths = inputs.get("lengths").of::<i32>();
    let text = |length: &i32| {
        let (text, rest) = ids.split_at(*length as usize);
        ids = rest;
        text.to_vec()
    };
    lengths.iter().map(text).collect()
}

fn whole(encoder: Encoder, labelled: &Labelled) -> std::result::Result<Whole, String> {
    let embed = |texts: &[Vec<i32>]| encoder.embed(texts).map_err(|error| error.to_string());
    let directions = embed(&labelled.texts)?;
    let (mut found, mut of_classes) = (Vec::new(), None);
    if let Judged::For { learned, .. } = &labelled.judged {
        let texts: Vec<Vec<i32>> = learned.iter().map(|(text, _)| text.clone()).collect();
        let means = means(&embed(&texts)?, learned.iter().map(|(_, class)| *class));
        let classes = directions.iter().map(|direction| nearer(direction, &means));
        found = classes.collect::<benchbook_quality::Result<_>>().map_err(|error| error.to_string())?;
        of_classes = Some(means);
    }
    Ok(Whole { encoder, directions, means: of_classes, found })
}

struct Embedding {
    name: &'static str,
    device: String,
    encoder: Encoder,
    texts: Vec<Vec<i32>>,
    parts: Vec<std::ops::Range<usize>>,
    /// The class of each text, where there are classes.
    truth: Vec<usize>,
    means: Option<[Vec<f32>; 2]>,
    directions: Vec<Vec<f32>>,
    piece: usize,
    metrics: Vec<Metric>,
}

impl Loop for Embedding {
    fn begin(&mut self) {
        self.piece = 0;
        self.directions.clear();
    }

    fn step(&mut self, values: &mut [f64]) -> Result<Step> {
        let part = self.parts[self.piece].clone();
        let directions = self.encoder.embed(&self.texts[part.clone()]);
        let directions = directions.map_err(|error| failed(self.name, &self.device, &error.to_string()))?;
        if let (Some(value), Some(means)) = (values.first_mut(), &self.means) {
            let right = directions.iter().zip(&self.truth[part.clone()]);
            let right = right.filter(|(direction, truth)| nearer(direction, means).is_ok_and(|found| found == **truth));
            *value = right.count() as f64 / part.len() as f64;
        }
        self.directions.extend(directions);
        self.piece += 1;
        Ok(Step { tokens: 0, more: self.piece < PIECES })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        let width = self.encoder.text().width;
        Ok(vec![Array::new(vec![self.directions.len(), width], &self.directions.concat())])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
