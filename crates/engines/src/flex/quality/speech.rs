//! What a Whisper writes down of sounds, and what its encoder makes of them: `speech-quality`.

use benchbook_core::{
    Array, DType, Inputs, Params, Preset, Problem, Reference, Row, StepsOf, Support, Task, Value, Work,
};
use benchbook_models::mel::{HOP, Mel};
use benchbook_models::tokenizer::Bpe;
use benchbook_models::weights::{Seeded, Source};
use benchbook_models::{Audio, Description, Names, named, real};
use benchbook_quality::data::{self, Utterance};
use benchbook_workloads::attention::reference::dot;
use benchbook_workloads::encoding::{AudioEncoder, AudioEncoderParams, Merges, heard_in_part};

use super::chosen::Chosen;
use super::{hearing, here};
use crate::flex::row::fused_row;

/// Sounds, one a step behind a short one: a Whisper hears 30 seconds of each and writes down what is said, and of the short one its
/// encoder alone hears, which is checked.
///
/// Input: `mel` `[bins, frames]`, the spectrogram of the short one. The output `[1, width]` is a direction: the mean of the positions that
/// the encoder makes of it, however many are left, of length 1. A real model hears what people have read aloud, two seconds of the first
/// at first; its estimates are `word_error_rate`, `bleu`, `rouge_1`, `rouge_2` and `rouge_l`, and of an encoder that is another
/// `word_error_difference` and `bleu_difference` on the same sounds. A seeded model hears drawn spectrograms, writes nothing, and has no
/// estimate of quality.
pub struct SpeechQuality;

benchbook_core::parameters! {
    /// Parameters of [`SpeechQuality`].
    pub struct SpeechQualityParams {
        /// the model: seeded, which says nothing of quality, or whisper-base, whose real weights were brought
        model: String = "seeded".to_owned(), ["seeded", WHISPER];
        /// sounds that are heard, of which there are ten
        sounds: usize = 10, 1..=10;
    }
}

const WHISPER: &str = "whisper-base";
const SEED: u64 = 19;

/// Frames of the sound that is checked: two seconds, or of the seeded model as many as it has.
const CHECKED: usize = 200;

/// A Whisper whose sizes fill no tile.
const SEEDED: &str = r#"
name = "a seeded Whisper"
source = "made up"
parameters = 1

[text]
architecture = "whisper"
layers = 1
heads = 2
kv_heads = 2
head_dim = 10
width = 20
hidden = 37
vocabulary = 61
context = 8
tied = true
epsilon = 1e-5

[audio]
layers = 2
heads = 4
width = 20
hidden = 37
bins = 5
positions = 24
"#;

impl SpeechQualityParams {
    pub(super) fn is_seeded(&self) -> bool {
        self.model != WHISPER
    }

    /// What it is made of.
    ///
    /// # Errors
    /// No description can be read.
    pub(super) fn described(&self) -> Result<Description, String> {
        let described = if self.is_seeded() { Description::parse(SEEDED) } else { named(WHISPER) };
        described.map_err(|error| error.to_string())
    }

    /// The model and its weights, and of a real one its tokenizer.
    ///
    /// # Errors
    /// It was not brought, or is not as it was.
    pub(super) fn chosen(&self) -> Result<(Chosen, Option<Bpe>), String> {
        let model = self.described()?;
        if self.is_seeded() {
            return Ok((Chosen { model, source: Box::new(Seeded { seed: SEED }) }, None));
        }
        let folder = real::folder().ok_or("neither XDG_CACHE_HOME nor HOME names a folder")?;
        let (file, tokenizer) = real::whisper(&folder).map_err(|error| error.to_string())?;
        Ok((Chosen { model, source: Box::new(file) }, Some(tokenizer)))
    }

    /// Whether its model and its sounds are here.
    pub(super) fn is_here(&self) -> Support {
        here(if self.is_seeded() { Ok(()) } else { self.spoken().map(|_| ()) })
    }

    /// What was read aloud; none of a seeded model.
    ///
    /// # Errors
    /// Weights or sounds were not brought.
    pub(super) fn spoken(&self) -> Result<Vec<Utterance>, String> {
        if self.is_seeded() {
            return Ok(Vec::new());
        }
        let nowhere = "neither XDG_CACHE_HOME nor HOME names a folder";
        real::expect(&real::folder().ok_or(nowhere)?, WHISPER).map_err(|error| error.to_string())?;
        let mut spoken = data::speech(&data::folder().ok_or(nowhere)?).map_err(|error| error.to_string())?;
        spoken.truncate(self.sounds);
        Ok(spoken)
    }

    /// The spectrogram `[bins, frames]` that is checked.
    ///
    /// # Errors
    /// As of [`SpeechQualityParams::spoken`].
    fn checked(&self, seed: u64) -> Result<(Vec<usize>, Vec<f32>), String> {
        let model = self.described()?;
        let Some(Audio { bins, positions, .. }) = model.audio else { return Err("it does not hear".to_owned()) };
        if self.is_seeded() {
            return Ok((vec![bins, 2 * positions], drawn([bins, 2 * positions], seed)));
        }
        let first = self.spoken()?.into_iter().next().ok_or("there is no sound")?;
        let most = first.samples.len().min(CHECKED * HOP);
        let mel = Mel::new(bins).and_then(|mel| mel.of(&first.samples[..most], CHECKED));
        Ok((vec![bins, CHECKED], mel.map_err(|error| error.to_string())?))
    }
}

/// A drawn spectrogram, of whose frames the last third is silence.
pub(super) fn drawn([bins, frames]: [usize; 2], seed: u64) -> Vec<f32> {
    let mut mel = Array::normal(vec![bins, frames], seed, 1);
    for bin in mel.of_mut::<f32>().chunks_exact_mut(frames) {
        bin[2 * frames / 3..].fill(-4.0);
    }
    mel.of::<f32>().to_vec()
}

impl SpeechQuality {
    pub(super) fn steps(params: &SpeechQualityParams) -> StepsOf {
        StepsOf { most: 1 + params.sounds, tokens: None, values: Vec::new() }
    }

    /// What an encoder by these weights makes of the sound that is checked, in `f64`: where positions are left out that are not louder
    /// than so many percent of the range, or become one with others.
    pub(super) fn encoded(
        (model, source): (&Description, &dyn Source),
        inputs: &Inputs,
        quiet: Option<usize>,
        merges: Option<Merges<'_>>,
    ) -> benchbook_models::Result<Vec<f64>> {
        let Some(audio) = &model.audio else { return Err(benchbook_models::Error::NotBuilt(model.name.clone())) };
        let &Audio { layers, heads, width, hidden, bins, .. } = audio;
        let frames = inputs.get("mel").width();
        let weights = "seeded".to_owned();
        let params = AudioEncoderParams { weights, layers, heads, width, hidden, bins, batch: 1, frames };
        let mut all = Inputs::from([("mel", inputs.get("mel").clone())]);
        for (name, shape, numbers) in Names::WHISPER.inputs(&model.tensors(), source)? {
            all.insert(name, Array::new(shape, &numbers));
        }
        let kept = quiet.map(|percent| louder(inputs.numbers("mel"), frames, percent));
        Ok(heard_in_part(&params, &all, 0, kept.as_deref(), merges))
    }

    /// The answer of these positions, as many as are left; of a model that is not here nobody is right, and who prepares it says why.
    pub(super) fn answer(params: &SpeechQualityParams, positions: Result<Vec<f64>, String>) -> Reference {
        let width = params.described().ok().and_then(|model| Some(model.audio?.width)).unwrap_or(1);
        let positions = positions.unwrap_or_else(|_| vec![f64::NAN; width]);
        let sums: Vec<f64> = (0..width).map(|at| positions.iter().skip(at).step_by(width).sum::<f64>()).collect();
        let size = dot(&sums, &sums).sqrt();
        Reference::of(vec![1, width], vec![0], sums.iter().map(|sum| sum / size).collect())
    }
}

/// Positions, two frames each, in which a number is above so many percent of the range of a spectrogram; all where none is.
fn louder(mel: &[f32], frames: usize, percent: usize) -> Vec<usize> {
    let wide = || mel.iter().map(|number| f64::from(*number));
    let (least, most) = (wide().fold(f64::INFINITY, f64::min), wide().fold(f64::NEG_INFINITY, f64::max));
    let bound = least + (most - least) * percent as f64 / 100.0;
    let is_loud =
        |position: &usize| wide().enumerate().any(|(at, number)| at % frames / 2 == *position && number > bound);
    let found: Vec<usize> = (0..frames / 2).filter(is_loud).collect();
    if found.is_empty() { (0..frames / 2).collect() } else { found }
}

impl Problem for SpeechQuality {
    const NAME: &'static str = "speech-quality";
    const ABOUT: &'static str = "what a Whisper writes down of sounds, by its encoder as it is and by others of it";
    type Params = SpeechQualityParams;

    fn presets() -> Vec<Preset> {
        let of =
            |model: &str, sounds: i64| Params::default().with("model", model.into()).with("sounds", Value::Int(sounds));
        vec![
            Preset { name: "quick", cases: vec![of("seeded", 2)] },
            Preset { name: "default", cases: vec![of(WHISPER, 10)] },
        ]
    }

    fn ugly() -> Vec<SpeechQualityParams> {
        [1, 3].map(|sounds| SpeechQualityParams { sounds, ..SpeechQualityParams::default() }).into()
    }

    fn label(params: &SpeechQualityParams) -> String {
        format!("{} {}×30s", params.model, params.sounds)
    }

    fn task(params: &SpeechQualityParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &SpeechQualityParams, seed: u64) -> Inputs {
        // Of a model that is not here, nobody reads them.
        let (shape, mel) = params.checked(seed).unwrap_or_else(|_| (vec![1, 2], vec![0.0; 2]));
        Inputs::from([("mel", Array::new(shape, &mel))])
    }

    fn reference(params: &SpeechQualityParams, inputs: &Inputs, _seed: u64) -> Reference {
        let positions = params.chosen().and_then(|(Chosen { model, source }, _)| {
            Self::encoded((&model, source.as_ref()), inputs, None, None).map_err(|error| error.to_string())
        });
        Self::answer(params, positions)
    }

    /// Operations of the encoder on the sounds, of which each is heard as if it had as many frames as the model hears; bytes of its
    /// weights.
    fn work(params: &SpeechQualityParams, dtype: DType) -> Work {
        let Some(audio) = params.described().ok().and_then(|model| model.audio) else {
            return Work { flops: 0.0, bytes: 0.0 };
        };
        let Audio { layers, heads, width, hidden, bins, positions } = audio;
        let (weights, batch, frames) = ("seeded".to_owned(), params.sounds, 2 * positions);
        AudioEncoder::work(&AudioEncoderParams { weights, layers, heads, width, hidden, bins, batch, frames }, dtype)
    }

    /// Through all blocks, roundings of `f32` add up to more than a product has.
    fn tolerance(_params: &SpeechQualityParams, dtype: DType) -> f64 {
        10.0 * benchbook_workloads::tolerance(dtype)
    }
}

/// The implementation of `speech-quality` that techniques stand beside.
pub const ENCODER: Row<SpeechQuality> = fused_row::<SpeechQuality>(
    "encoder",
    "a Whisper by our kernels in f32, its encoder as it is",
    &[DType::F32],
    |name, setting, params, inputs| hearing::prepare(name, setting, params, inputs, None),
)
.catalogue(&["MO20"])
.only(|_, _, params| params.is_here());
