//! Training on text to a loss: `text-training`. It is a problem of this crate's own, since it reads text from where `cargo xtask data`
//! has put it.

mod health;
mod source;

use benchbook_core::{
    Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Result, Row, Setting, StepsOf, Subject, Support,
    Task, Value, Work,
};
use benchbook_workloads::training::{EightBits, Gpt2Training, Gpt2TrainingParams};

use super::casts::Scaling;
use super::gpt2::prepared;
use super::keeping::Keeping;
use super::rows::{self, Trains};
use super::steps::Way;
use crate::flex::quality::here;
pub(crate) use health::Health;
use source::{BYTES, Source};

/// Training of a GPT-2 on text by AdamW, as [`Gpt2Training`] has it, a token a byte: weights, and the order in which the text comes, follow
/// from the seed, and each replicate has its own. Steps tell `loss`, the mean of the last sixteen (`recent_loss`, nats), and how gradients
/// are, layer by layer. The metric `steps_to_recent_loss` is how many steps it took to the loss that is asked for.
///
/// Input: `ids` `[steps, batch, seq + 1]`, and the weights of [`Gpt2Training`]. Outputs: as there, of which the first steps are checked.
pub struct TextTraining;

benchbook_core::parameters! {
    /// Parameters of [`TextTraining`].
    pub struct TextTrainingParams {
        /// the text: one of a language that is made up, or the Brown corpus, where it was brought
        text: String = "chain".to_owned(), Source::NAMES;
        /// blocks of the model
        layers: usize = 2, 1..=48;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 10;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// texts of a step
        batch: usize = 8, 1..=1 << 12;
        /// positions of a text
        seq: usize = 64, 1..=1 << 14;
        /// steps of a loop
        steps: usize = 64, 1..=1 << 16;
        /// learning rate
        rate: f64 = 0.003, 0.0..1e30;
        /// loss to which steps are counted, in nats a byte
        goal: f64 = 3.0, 0.0..1e3;
    }
}

/// Steps that are checked: later ones depend on what rounding has done to all before.
const CHECKED: usize = 2;

impl TextTrainingParams {
    fn source(&self) -> Source {
        Source::of(&self.text)
    }

    /// Whether its text is here.
    pub fn is_here(&self) -> Support {
        here(self.source().windows(self.seq + 1).map(|_| ()))
    }

    /// The model and its training.
    pub fn model(&self) -> Gpt2TrainingParams {
        let Self { layers, heads, width, batch, seq, steps, rate, .. } = *self;
        Gpt2TrainingParams { layers, heads, width, vocabulary: BYTES, batch, seq, steps, rate }
    }
}

impl TextTraining {
    /// The loop of a case, a batch a step.
    pub fn steps(params: &TextTrainingParams) -> StepsOf {
        StepsOf { values: health::values(params.layers), ..Gpt2Training::steps(&params.model()) }
    }
}

impl Problem for TextTraining {
    const NAME: &'static str = "text-training";
    const ABOUT: &'static str = "training of a small GPT-2 on text, and how many steps it takes to a loss";
    // What two replicates of one seed come to is the same.
    const SEEDS: u32 = u32::MAX;
    type Params = TextTrainingParams;

    fn presets() -> Vec<Preset> {
        let of = |text: &str, steps: i64| Params::default().with("text", text.into()).with("steps", Value::Int(steps));
        let [chain, brown] = Source::NAMES;
        vec![
            Preset { name: "quick", cases: vec![of(chain, 64)] },
            Preset { name: "default", cases: vec![of(chain, 256), of(brown, 1024)] },
        ]
    }

    fn ugly() -> Vec<TextTrainingParams> {
        let of = |[layers, heads, width, batch, seq, steps]: [usize; 6]| TextTrainingParams {
            layers,
            heads,
            width,
            batch,
            seq,
            steps,
            ..TextTrainingParams::default()
        };
        [[1, 1, 4, 1, 1, 1], [3, 3, 33, 2, 5, 2], [2, 2, 32, 4, 16, 3]].map(of).into()
    }

    fn check(params: &TextTrainingParams) -> Result<(), (&'static str, String)> {
        Gpt2Training::check(&params.model())?;
        match params.source().windows(params.seq + 1) {
            Ok(Some(0)) => Err(("seq", format!("the text is shorter than {} bytes", params.seq + 1))),
            // That a text is not here is said by whoever is asked to train on it.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn label(params: &TextTrainingParams) -> String {
        let TextTrainingParams { text, layers, heads, width, batch, seq, steps, rate, goal } = params;
        let rate = if *rate == 0.003 { String::new() } else { format!(" rate {rate}") };
        format!("{text} l{layers} h{heads} w{width} b{batch} s{seq} {steps} steps{rate} to {goal}")
    }

    fn task(params: &TextTrainingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &TextTrainingParams, seed: u64) -> Inputs {
        let TextTrainingParams { batch, seq, steps, .. } = *params;
        let mut inputs = Gpt2Training::inputs(&params.model(), seed);
        let shape = vec![steps, batch, seq + 1];
        // Of a text that is not here, nobody reads them.
        let ids = params.source().ids(seq + 1, steps * batch, seed);
        let ids = ids.unwrap_or_else(|_| vec![0; shape.iter().product()]);
        inputs.insert("ids", Array::new(shape, &ids));
        inputs
    }

    fn tokens(_params: &TextTrainingParams) -> Vec<(&'static str, usize)> {
        vec![("ids", BYTES)]
    }

    fn reference(params: &TextTrainingParams, inputs: &Inputs, seed: u64) -> Reference {
        checked(params, |model| Gpt2Training::reference(model, inputs, seed))
    }

    fn work(params: &TextTrainingParams, dtype: DType) -> Work {
        Gpt2Training::work(&params.model(), dtype)
    }

    fn tolerance(params: &TextTrainingParams, dtype: DType) -> f64 {
        Gpt2Training::tolerance(&params.model(), dtype)
    }

    fn metrics(params: &TextTrainingParams, _inputs: &Inputs) -> Vec<Metric> {
        let TextTrainingParams { batch, seq, goal, .. } = *params;
        let windows = params.source().windows(seq + 1).ok().flatten();
        let epoch = windows.map(|windows| Metric::modelled("epoch_steps", windows as f64 / batch as f64, "count"));
        [Metric::modelled("recent_loss_threshold", goal, "nats")].into_iter().chain(epoch).collect()
    }
}

/// The first steps of what is right, as training of a model has them; on a text that is not here nobody is right.
fn checked(params: &TextTrainingParams, of: impl Fn(&Gpt2TrainingParams) -> Reference) -> Reference {
    let few = Gpt2TrainingParams { steps: params.steps.min(CHECKED), ..params.model() };
    let mut reference = of(&few);
    reference.answers.iter_mut().for_each(|answer| answer.shape[0] = params.steps);
    if params.is_here() != Support::Yes {
        reference.answers.iter_mut().for_each(|answer| answer.values.fill(f64::NAN));
    }
    reference
}

/// Implementations of `text-training`.
pub const ROWS: [Row<TextTraining>; 5] = [
    rows::kept::<TextTraining>("forward and back by hand, as kept of gpt2-training")
        .catalogue(&["TR5", "ME14", "ME38", "ME39", "VA9", "VA10", "VA11"]),
    rows::checkpointed(),
    rows::bf16(rows::IN_BF16),
    rows::fp8_dynamic(rows::IN_FP8),
    rows::fp8_delayed(rows::DELAYED),
];

impl Trains for TextTraining {
    fn sizes(params: &TextTrainingParams) -> [usize; 2] {
        [params.model().tokens(), params.width]
    }

    fn is_here(params: &TextTrainingParams) -> Support {
        params.is_here()
    }

    fn in_eight_bits(params: &TextTrainingParams, inputs: &Inputs, scaling: EightBits) -> Reference {
        checked(params, |model| Gpt2Training::in_eight_bits(model, inputs, scaling))
    }

    fn prepare(
        name: &'static str,
        setting: &Setting,
        params: &TextTrainingParams,
        inputs: &Inputs,
        (keeping, scaling): (Keeping, Scaling),
    ) -> Result<Box<dyn Subject>> {
        let way = Way { keeping, scaling, telling: Box::new(Health::new(params.layers)) };
        Ok(prepared((name, setting), &params.model(), inputs, way, &Self::steps(params)))
    }
}
