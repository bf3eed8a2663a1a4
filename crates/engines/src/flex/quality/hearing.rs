//! A Whisper that goes through sounds, one a step.

use benchbook_core::{Array, Inputs, Loop, Looping, Metric, Result, Setting, Step, Subject};
use benchbook_models::technique::Technique;
use benchbook_models::{AudioEncoder, AudioRoom, Speech, pooled};
use benchbook_quality::data::Utterance;
use benchbook_quality::similarity::mean_cosine;
use benchbook_quality::written::Written;
use benchbook_quality::{Estimate, Of};

use super::chosen::Chosen;
use super::speech::{SpeechQuality, SpeechQualityParams, drawn};
use crate::flex::calls::failed;
use crate::flex::told::kept;
use crate::flex::weight_only::weight_bytes;

/// What is wrong with a sound or a model.
type Reason = String;

/// Who hears: a whole Whisper, or the encoder of one that writes nothing.
enum Listener {
    Writes(Box<Speech>),
    Hears(Box<AudioEncoder>),
}

impl Listener {
    /// The model of a case, with a technique or as it is.
    fn of(params: &SpeechQualityParams, technique: Option<&Technique>) -> std::result::Result<Self, Reason> {
        let (Chosen { model, source }, tokenizer) = params.chosen()?;
        let said = |error: benchbook_models::Error| error.to_string();
        let encoder = match technique {
            Some(technique) => technique.encoding(&model, source.as_ref()).and_then(|encoding| encoding.audio()),
            None => AudioEncoder::load(&model, source.as_ref()),
        };
        let encoder = encoder.map_err(said)?;
        match tokenizer {
            Some(tokenizer) => {
                let speech = Speech::with(&model, source.as_ref(), tokenizer, encoder).map_err(said)?;
                Ok(Self::Writes(Box::new(speech)))
            }
            None => Ok(Self::Hears(Box::new(encoder))),
        }
    }

    fn encoder(&self) -> &AudioEncoder {
        match self {
            Self::Writes(speech) => speech.encoder(),
            Self::Hears(encoder) => encoder,
        }
    }

    /// What it writes down of what its encoder has heard; nothing where it only hears.
    fn written(&self, heard: &[f32]) -> benchbook_models::Result<String> {
        match self {
            Self::Writes(speech) => speech.written_of(heard),
            Self::Hears(_) => Ok(String::new()),
        }
    }

    /// The spectrograms of the sounds of a case, and what is said in each.
    fn sounds(&self, params: &SpeechQualityParams) -> std::result::Result<Vec<(Vec<f32>, String)>, Reason> {
        let said = |error: benchbook_models::Error| error.to_string();
        match self {
            Self::Writes(speech) => {
                let one = |utterance: Utterance| -> std::result::Result<(Vec<f32>, String), Reason> {
                    Ok((speech.spectrogram(&utterance.samples).map_err(said)?, utterance.said))
                };
                params.spoken()?.into_iter().map(one).collect()
            }
            Self::Hears(encoder) => {
                let size = [encoder.audio().bins, 2 * encoder.audio().positions];
                Ok((1..=params.sounds as u64).map(|seed| (drawn(size, seed), String::new())).collect())
            }
        }
    }
}

/// What a listener makes of sounds, before anything is timed.
struct Heard {
    /// What was written down of each sound.
    written: Vec<String>,
    /// Of each sound the mean of its positions, of length 1.
    directions: Vec<Vec<f32>>,
    /// Positions of all sounds.
    left: usize,
}

impl Heard {
    fn of(listener: &Listener, sounds: &[(Vec<f32>, String)]) -> benchbook_models::Result<Self> {
        let (mut room, width) = (AudioRoom::default(), listener.encoder().audio().width);
        let mut heard = Self { written: Vec::new(), directions: Vec::new(), left: 0 };
        for (mel, _) in sounds {
            let hidden = listener.encoder().hidden(&mut room, mel, 1)?;
            heard.written.push(listener.written(hidden)?);
            let mut direction = vec![0.0; width];
            pooled(hidden, width, &mut direction);
            heard.directions.push(direction);
            heard.left += hidden.len() / width;
        }
        Ok(heard)
    }

    /// What was written beside what was said.
    fn compared(&self, sounds: &[(Vec<f32>, String)]) -> benchbook_quality::Result<Written> {
        Written::of(sounds.iter().zip(&self.written).map(|((_, said), written)| (said.as_str(), written.as_str())))
    }
}

/// Loads a model with a technique, or as it is, and says how its words go with what is said, beside those of the model as it is.
pub fn prepare(
    name: &'static str,
    setting: &Setting,
    params: &SpeechQualityParams,
    inputs: &Inputs,
    technique: Option<&Technique>,
) -> Result<Box<dyn Subject>> {
    let wrong = |reason: Reason| failed(name, &setting.device, &reason);
    let own = Listener::of(params, technique).map_err(wrong)?;
    let sounds = own.sounds(params).map_err(wrong)?;
    let heard = Heard::of(&own, &sounds).map_err(|error| wrong(error.to_string()))?;
    let held = own.encoder().held();
    let mut metrics = vec![weight_bytes(held.bytes)];
    let data = format!("speech, the first {} of 10", params.sounds);
    let of = Of { data: &data, item: "utterance" };
    let said = |error: benchbook_quality::Error| wrong(error.to_string());
    let words = if params.is_seeded() { None } else { Some(heard.compared(&sounds).map_err(said)?) };
    if let Some(words) = &words {
        metrics.extend(words.estimates(of).map_err(said)?.iter().flat_map(Estimate::metrics));
    }
    if technique.is_some() {
        let plain = Listener::of(params, None).map_err(wrong)?;
        let beside = Heard::of(&plain, &sounds).map_err(|error| wrong(error.to_string()))?;
        let (all, model) = (plain.encoder().held().numbers, params.described().map_err(wrong)?);
        metrics.extend(kept([held.numbers, all], (model.counted_parameters() as usize).saturating_sub(all)));
        metrics.push(Metric::measured("positions_kept", heard.left as f64 / beside.left as f64, "share"));
        metrics.extend(mean_cosine(&beside.directions, &heard.directions, of).map_err(said)?.metrics());
        if let Some(words) = &words {
            let estimates = beside.compared(&sounds).and_then(|plain| words.beside(&plain, of)).map_err(said)?;
            metrics.extend(estimates.iter().flat_map(Estimate::metrics));
        }
    }
    let hearing = Hearing {
        name,
        device: setting.device.clone(),
        direction: vec![0.0; own.encoder().audio().width],
        listener: own,
        room: AudioRoom::default(),
        checked: inputs.numbers("mel").to_vec(),
        sounds: sounds.into_iter().map(|(mel, _)| mel).collect(),
        step: 0,
        metrics,
    };
    Ok(Box::new(Looping::new(name, setting, &SpeechQuality::steps(params), hearing)))
}

struct Hearing {
    name: &'static str,
    device: String,
    listener: Listener,
    room: AudioRoom,
    /// The spectrogram that is checked, and then those of the sounds.
    checked: Vec<f32>,
    sounds: Vec<Vec<f32>>,
    /// What was made of the one that is checked: the mean of its positions, of length 1.
    direction: Vec<f32>,
    step: usize,
    metrics: Vec<Metric>,
}

impl Loop for Hearing {
    fn begin(&mut self) {
        self.step = 0;
    }

    fn step(&mut self, _values: &mut [f64]) -> Result<Step> {
        let Self { name, device, listener, room, checked, sounds, direction, step, .. } = self;
        let made = match step.checked_sub(1) {
            None => {
                let heard = listener.encoder().hidden(room, checked, 1);
                heard.map(|hidden| pooled(hidden, direction.len(), direction))
            }
            Some(sound) => {
                let heard = listener.encoder().hidden(room, &sounds[sound], 1);
                heard.and_then(|heard| listener.written(heard)).map(|_| ())
            }
        };
        made.map_err(|error| failed(name, device, &error.to_string()))?;
        *step += 1;
        Ok(Step { tokens: 0, more: *step <= sounds.len() })
    }

    fn outputs(&mut self) -> Result<Vec<Array>> {
        Ok(vec![Array::new(vec![1, self.direction.len()], &self.direction)])
    }

    fn allocates_in_rust(&self) -> bool {
        true
    }

    fn metrics(&self) -> Vec<Metric> {
        self.metrics.clone()
    }
}
