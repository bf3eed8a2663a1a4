//! Training of a GPT-2 whose weights are drawn from a seed.

mod model;

use model::loss_by;
pub use model::{TENSORS, loss_and_gradients};

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work};

use super::eight::{EightBits, Factors, in_eight_bits};
use super::slopes::{Course, Tensors, steps_of, tolerance};
use crate::decoding::{GreedyDecoding, GreedyDecodingParams, ids};

/// Steps of training of a GPT-2 (learned positions, layer norms before attention and feed-forward, GELU by tanh, one embedding for both
/// ends): of each batch the mean cross-entropy of the token that follows, its gradients, and a step of AdamW from moments of zero, with
/// the constants of [`AdamW`](super::AdamW). Nothing is dropped out.
///
/// Inputs: `ids` `[steps, batch, seq + 1]` of `i32`, a batch for each step, and the weights of
/// [`GreedyDecoding`](crate::decoding::GreedyDecoding), with `wpe` `[seq, width]`. Outputs: `losses` `[steps, 1]` in nats, and `norms`
/// `[steps, 12]`, of the gradient of each tensor of [`TENSORS`], before the step. Steps tell `loss`, `gradient_norm` of all weights, and
/// those of the first and of the last layer.
pub struct Gpt2Training;

benchbook_core::parameters! {
    /// Parameters of [`Gpt2Training`].
    pub struct Gpt2TrainingParams {
        /// blocks of the model
        layers: usize = 2, 1..=48;
        /// heads of attention; they divide the width
        heads: usize = 4, 1..=1 << 10;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// tokens that there are
        vocabulary: usize = 256, 2..=1 << 17;
        /// texts of a step
        batch: usize = 4, 1..=1 << 12;
        /// positions of a text
        seq: usize = 32, 1..=1 << 14;
        /// steps of a loop
        steps: usize = 4, 1..=1 << 16;
        /// learning rate
        rate: f64 = 0.001, 0.0..1e30;
    }
}

/// What a step tells, and its units.
pub(super) const VALUES: [(&str, &str); 4] =
    [("loss", "nats"), ("gradient_norm", "1"), ("gradient_norm_first", "1"), ("gradient_norm_last", "1")];

impl Gpt2TrainingParams {
    /// Tokens of a step.
    pub fn tokens(&self) -> usize {
        self.batch * self.seq
    }

    /// The model, as decoding has it.
    fn model(&self) -> GreedyDecodingParams {
        let Self { layers, heads, width, vocabulary, seq, .. } = *self;
        // A prompt of all positions but one, after which one token is made.
        GreedyDecodingParams { layers, heads, width, vocabulary, prompt: seq - 1, tokens: 1, twins: false }
    }

    /// Weights of matrices: those of the layers, and the embedding as it gives logits.
    fn matrices(&self) -> f64 {
        let [layers, width, vocabulary] = [self.layers, self.width, self.vocabulary].map(|size| size as f64);
        12.0 * layers * width * width + vocabulary * width
    }

    /// The steps of a case.
    pub(super) fn course(&self) -> Course {
        let Self { batch, seq, steps, rate, .. } = *self;
        Course { steps, rate, ids: batch * (seq + 1), products: 3.0 * self.matrices() * self.tokens() as f64 }
    }

    /// All weights.
    fn weights(&self) -> f64 {
        let [layers, width, seq] = [self.layers, self.width, self.seq].map(|size| size as f64);
        self.matrices() + 13.0 * layers * width + (2.0 + seq) * width
    }
}

impl Gpt2Training {
    /// What is right where factors of the products of layers are rounded to eight bits; of fewer steps perhaps than without, the first
    /// among them.
    pub fn in_eight_bits(params: &Gpt2TrainingParams, inputs: &Inputs, scaling: EightBits) -> Reference {
        let of = |weights: &Tensors, ids: &[i32], factors: &mut Factors| loss_by(params, weights, ids, factors);
        in_eight_bits(scaling, params.course(), &TENSORS, inputs, of)
    }

    /// The loop of a case, a batch a step.
    pub fn steps(params: &Gpt2TrainingParams) -> StepsOf {
        let values = VALUES.map(|(name, unit)| (name.to_owned(), unit.to_owned())).into();
        StepsOf { most: params.steps, tokens: Some((params.steps * params.tokens()) as i64), values }
    }
}

impl Problem for Gpt2Training {
    const NAME: &'static str = "gpt2-training";
    const ABOUT: &'static str = "training of a seeded GPT-2 by AdamW, a batch a step";
    type Params = Gpt2TrainingParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 7]| {
            let names = ["layers", "heads", "width", "vocabulary", "batch", "seq", "steps"];
            names.into_iter().zip(sizes).fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![of([2, 4, 64, 256, 4, 32, 4])] },
            Preset { name: "default", cases: vec![of([4, 4, 128, 512, 8, 64, 4]), of([8, 8, 256, 1024, 4, 128, 2])] },
        ]
    }

    fn ugly() -> Vec<Gpt2TrainingParams> {
        let usual = Gpt2TrainingParams::default();
        let of = |[layers, heads, width, vocabulary, batch, seq, steps]: [usize; 7]| Gpt2TrainingParams {
            layers,
            heads,
            width,
            vocabulary,
            batch,
            seq,
            steps,
            ..usual
        };
        // A sequence of one, odd sizes, one with tokens enough for formats of few bits, and some steps of few numbers, of which in eight
        // bits none lies near the middle between two.
        [[1, 1, 4, 5, 1, 1, 1], [3, 3, 33, 17, 2, 5, 2], [5, 2, 32, 61, 4, 16, 3], [1, 2, 8, 11, 1, 4, 4]]
            .map(of)
            .into()
    }

    fn check(params: &Gpt2TrainingParams) -> Result<(), (&'static str, String)> {
        let Gpt2TrainingParams { heads, width, batch, seq, vocabulary, steps, .. } = *params;
        if !width.is_multiple_of(heads) {
            return Err(("heads", format!("{heads} heads do not divide a width of {width}, give a divisor of it")));
        }
        crate::draw::check_numbers("batch", &[batch, seq, vocabulary.max(4 * width)])?;
        crate::draw::check_numbers("steps", &[steps, batch, seq + 1])
    }

    fn label(params: &Gpt2TrainingParams) -> String {
        let Gpt2TrainingParams { layers, heads, width, vocabulary, batch, seq, steps, rate } = *params;
        let rate = if rate == 0.001 { String::new() } else { format!(" rate {rate}") };
        format!("l{layers} h{heads} w{width} v{vocabulary} b{batch} s{seq} {steps} steps{rate}")
    }

    fn task(params: &Gpt2TrainingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &Gpt2TrainingParams, seed: u64) -> Inputs {
        let Gpt2TrainingParams { vocabulary, batch, seq, steps, .. } = *params;
        let mut inputs = GreedyDecoding::inputs(&params.model(), seed);
        inputs.remove("prompt");
        let shape = vec![steps, batch, seq + 1];
        let count = shape.iter().product();
        inputs.insert("ids", Array::new(shape, &ids(count, vocabulary, seed)));
        inputs
    }

    fn tokens(params: &Gpt2TrainingParams) -> Vec<(&'static str, usize)> {
        vec![("ids", params.vocabulary)]
    }

    /// Of as many steps as the budget allows, the first among them.
    fn reference(params: &Gpt2TrainingParams, inputs: &Inputs, _seed: u64) -> Reference {
        steps_of(params.course(), &TENSORS, inputs, |weights, ids| loss_and_gradients(params, weights, ids))
    }

    /// Products forward and twice as many back, attention to what is seen with four products back for two forward, and AdamW; weights are
    /// read twice for products, gradients are written, and AdamW moves seven numbers.
    fn work(params: &Gpt2TrainingParams, dtype: DType) -> Work {
        let Gpt2TrainingParams { layers, width, batch, seq, steps, .. } = *params;
        let [steps, tokens] = [steps, params.tokens()].map(|count| count as f64);
        let pairs = (layers * batch * width) as f64 * (seq * (seq + 1) / 2) as f64;
        let flops = 6.0 * params.matrices() * tokens + 12.0 * pairs + 14.0 * params.weights();
        Work { flops: steps * flops, bytes: steps * 10.0 * params.weights() * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &Gpt2TrainingParams, dtype: DType) -> f64 {
        tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_on_one_batch_lowers_its_loss() {
        let params = Gpt2TrainingParams { steps: 8, ..Gpt2Training::ugly().swap_remove(2) };
        let mut inputs = Gpt2Training::inputs(&params, 4);
        let one: Vec<i32> = inputs.get("ids").of::<i32>()[..params.batch * (params.seq + 1)].to_vec();
        inputs.insert("ids", Array::new(vec![8, params.batch, params.seq + 1], &one.repeat(8)));
        let losses = Gpt2Training::reference(&params, &inputs, 4).answers.remove(0).values;
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    }

    #[test]
    fn weights_and_work_are_counted_by_hand() {
        let params =
            Gpt2TrainingParams { layers: 1, heads: 1, width: 2, vocabulary: 3, batch: 1, seq: 2, ..Default::default() };
        // Matrices of 12 + 4 + 16 + 16 weights, and an embedding of six.
        let inputs = Gpt2Training::inputs(&params, 1);
        let all: usize = TENSORS.iter().map(|name| inputs.get(name).len()).sum();
        assert_eq!((params.matrices(), params.weights()), (54.0, all as f64));
        // Two tokens, and three pairs of a query and a key in heads of two numbers.
        let work = Gpt2Training::work(&params, DType::F32);
        assert_eq!(work.flops, 4.0 * (6.0 * 54.0 * 2.0 + 12.0 * 2.0 * 3.0 + 14.0 * all as f64));
        assert_eq!(work.bytes, 4.0 * 40.0 * all as f64);
    }
}
