//! Training of a LLaMA whose weights are drawn from a seed.

mod model;

pub(super) use model::loss_by;
pub use model::{LLAMA_TENSORS, llama_loss_and_gradients};

use benchbook_core::{Array, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work};

use super::eight::{EightBits, Factors, in_eight_bits};
use super::gpt2::VALUES;
use super::slopes::{Course, Tensors, steps_of, tolerance};
use crate::attention::sizes::{self, check_kv_heads};
use crate::decoding::{ROTARY_BASE, ids};
use crate::draw::{check_numbers, normal};

/// Steps of training of a LLaMA (RMS norms, grouped-query heads whose queries and keys are turned by their positions, SwiGLU, no biases,
/// one embedding for both ends, as SmolLM2 has it): of each batch the mean cross-entropy of the token that follows, its gradients, and a
/// step of AdamW from moments of zero, with the constants of [`AdamW`](super::AdamW).
///
/// Inputs: `ids` `[steps, batch, seq + 1]` of `i32`, a batch for each step; `embedding` `[vocabulary, width]`, `last_norm` `[width]`;
/// of all layers gains `norm_1` and `norm_2` `[layers, width]`, and matrices `[layers, from, to]`: `w_qkv` gives queries, keys and values
/// beside each other, `w_gate_up` the gate before up, `w_out` and `w_down` lead back. Outputs: `losses` `[steps, 1]` in nats, and `norms`
/// `[steps, 8]`, of the gradient of each tensor of [`LLAMA_TENSORS`], before the step. Steps tell `loss`, `gradient_norm` of all weights,
/// and those of the first and of the last layer.
pub struct LlamaTraining;

benchbook_core::parameters! {
    /// Parameters of [`LlamaTraining`].
    pub struct LlamaTrainingParams {
        /// blocks of the model
        layers: usize = 2, 1..=48;
        /// query heads
        heads: usize = 4, 1..=1 << 10;
        /// key and value heads; they divide the query heads
        kv_heads: usize = 2, 1..=1 << 10;
        /// numbers of a head, which are turned in pairs
        head_dim: usize = 16, 2..=1 << 12;
        /// numbers of a position
        width: usize = 64, 1..=1 << 13;
        /// numbers between the products of the feed-forward network
        hidden: usize = 176, 1..=1 << 15;
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
        /// base of the angles by which queries and keys are turned
        rotary_base: usize = ROTARY_BASE, 1..=1 << 30;
    }
}

/// Deviation of the embedding: its logits of a normalised position are as large for every width.
const EMBEDDED: f32 = 0.5;

impl LlamaTrainingParams {
    /// Tokens of a step.
    pub fn tokens(&self) -> usize {
        self.batch * self.seq
    }

    /// Numbers of all queries, and of all keys, of a position.
    pub fn projected(&self) -> [usize; 2] {
        [self.heads * self.head_dim, self.kv_heads * self.head_dim]
    }

    /// Numbers of queries, keys and values of a position.
    pub fn row(&self) -> usize {
        let [query, kv] = self.projected();
        query + 2 * kv
    }

    /// Matrices of a layer, `[from, to]`.
    pub fn matrices(&self) -> [(&'static str, [usize; 2]); 4] {
        let Self { width, hidden, .. } = *self;
        let [query, _] = self.projected();
        [
            ("w_qkv", [width, self.row()]),
            ("w_out", [query, width]),
            ("w_gate_up", [width, 2 * hidden]),
            ("w_down", [hidden, width]),
        ]
    }

    /// Weights that a token is multiplied by: those of the layers, and the embedding as it gives logits.
    fn multiplied(&self) -> f64 {
        let of_layer: f64 = self.matrices().iter().map(|(_, [from, to])| (from * to) as f64).sum();
        self.layers as f64 * of_layer + (self.vocabulary * self.width) as f64
    }

    /// The steps of a case.
    pub(super) fn course(&self) -> Course {
        let Self { batch, seq, steps, rate, .. } = *self;
        Course { steps, rate, ids: batch * (seq + 1), products: 3.0 * self.multiplied() * self.tokens() as f64 }
    }

    /// All weights.
    fn weights(&self) -> f64 {
        self.multiplied() + ((2 * self.layers + 1) * self.width) as f64
    }
}

impl LlamaTraining {
    /// What is right where factors of the products of layers are rounded to eight bits; of fewer steps perhaps than without, the first
    /// among them.
    pub fn in_eight_bits(params: &LlamaTrainingParams, inputs: &Inputs, scaling: EightBits) -> Reference {
        let of = |weights: &Tensors, ids: &[i32], factors: &mut Factors| loss_by(params, weights, ids, factors);
        in_eight_bits(scaling, params.course(), &LLAMA_TENSORS, inputs, of)
    }

    /// The loop of a case, a batch a step.
    pub fn steps(params: &LlamaTrainingParams) -> StepsOf {
        let values = VALUES.map(|(name, unit)| (name.to_owned(), unit.to_owned())).into();
        StepsOf { most: params.steps, tokens: Some((params.steps * params.tokens()) as i64), values }
    }
}

impl Problem for LlamaTraining {
    const NAME: &'static str = "llama-training";
    const ABOUT: &'static str = "training of a seeded LLaMA by AdamW, a batch a step";
    type Params = LlamaTrainingParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 10]| {
            let heads = ["layers", "heads", "kv_heads", "head_dim", "width"];
            let names = heads.into_iter().chain(["hidden", "vocabulary", "batch", "seq", "steps"]);
            names.zip(sizes).fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![of([2, 4, 2, 16, 64, 176, 256, 4, 32, 4])] },
            Preset {
                name: "default",
                cases: vec![of([4, 4, 2, 32, 128, 352, 512, 8, 64, 4]), of([8, 8, 4, 32, 256, 704, 1024, 4, 128, 2])],
            },
        ]
    }

    fn ugly() -> Vec<LlamaTrainingParams> {
        let usual = LlamaTrainingParams::default();
        let of = |[layers, heads, kv_heads, head_dim, width, hidden, vocabulary, batch, seq, steps]: [usize; 10]| {
            LlamaTrainingParams {
                layers,
                heads,
                kv_heads,
                head_dim,
                width,
                hidden,
                vocabulary,
                batch,
                seq,
                steps,
                ..usual
            }
        };
        // A sequence of one, odd sizes with heads that share a key, one with tokens enough for formats of few bits, angles that are all
        // large, so that another base shows, and some steps of few numbers, of which in eight bits none lies near the middle between two.
        let mut cases = vec![
            of([1, 1, 1, 2, 3, 1, 5, 1, 1, 1]),
            of([3, 6, 2, 10, 33, 17, 19, 2, 5, 2]),
            of([5, 2, 1, 16, 32, 67, 61, 4, 16, 3]),
            of([2, 4, 4, 8, 32, 35, 33, 2, 21, 2]),
            of([1, 2, 1, 4, 8, 6, 11, 1, 4, 4]),
        ];
        cases[3].rotary_base = 3;
        cases
    }

    fn check(params: &LlamaTrainingParams) -> Result<(), (&'static str, String)> {
        let LlamaTrainingParams { heads, kv_heads, head_dim, width, hidden, batch, seq, vocabulary, steps, .. } =
            *params;
        check_kv_heads(heads, kv_heads)?;
        if !head_dim.is_multiple_of(2) {
            return Err(("head_dim", format!("{head_dim} is odd: numbers are rotated in pairs")));
        }
        let widest = width.max(2 * hidden).max(params.row()).max(vocabulary);
        check_numbers("batch", &[batch, seq, widest])?;
        check_numbers("layers", &[params.layers, width, widest])?;
        check_numbers("steps", &[steps, batch, seq + 1])
    }

    fn label(params: &LlamaTrainingParams) -> String {
        let LlamaTrainingParams {
            layers, heads, kv_heads, head_dim, width, hidden, vocabulary, batch, seq, steps, ..
        } = *params;
        let rate = if params.rate == 0.001 { String::new() } else { format!(" rate {}", params.rate) };
        let base = match params.rotary_base {
            ROTARY_BASE => String::new(),
            other => format!(" θ{other}"),
        };
        let heads = sizes::label(heads, kv_heads);
        format!(
            "l{layers} {heads} d{head_dim} w{width}→{hidden} v{vocabulary}{base} b{batch} s{seq} {steps} steps{rate}"
        )
    }

    fn task(params: &LlamaTrainingParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &LlamaTrainingParams, seed: u64) -> Inputs {
        let LlamaTrainingParams { layers, width, vocabulary, batch, seq, steps, .. } = *params;
        let mut streams = 2..;
        let mut stream = || streams.next().unwrap_or_default();
        let shape = vec![steps, batch, seq + 1];
        let count = shape.iter().product();
        let deviation = |terms: usize, of: f32| of / (terms as f32).sqrt();
        let mut inputs = Inputs::from([
            ("ids", Array::new(shape, &ids(count, vocabulary, seed))),
            ("embedding", normal(vec![vocabulary, width], [0.0, deviation(width, EMBEDDED)], seed, stream())),
            ("last_norm", normal(vec![width], [1.0, 0.1], seed, stream())),
        ]);
        for name in ["norm_1", "norm_2"] {
            inputs.insert(name, normal(vec![layers, width], [1.0, 0.1], seed, stream()));
        }
        for (name, [from, to]) in params.matrices() {
            inputs.insert(name, normal(vec![layers, from, to], [0.0, deviation(from, 1.0)], seed, stream()));
        }
        inputs
    }

    fn tokens(params: &LlamaTrainingParams) -> Vec<(&'static str, usize)> {
        vec![("ids", params.vocabulary)]
    }

    /// Of as many steps as the budget allows, the first among them.
    fn reference(params: &LlamaTrainingParams, inputs: &Inputs, _seed: u64) -> Reference {
        steps_of(params.course(), &LLAMA_TENSORS, inputs, |weights, ids| llama_loss_and_gradients(params, weights, ids))
    }

    /// Counted as [`Gpt2Training`](super::Gpt2Training) counts it.
    fn work(params: &LlamaTrainingParams, dtype: DType) -> Work {
        let LlamaTrainingParams { layers, batch, seq, steps, .. } = *params;
        let [steps, tokens] = [steps, params.tokens()].map(|count| count as f64);
        let pairs = (layers * batch * params.projected()[0]) as f64 * (seq * (seq + 1) / 2) as f64;
        let flops = 6.0 * params.multiplied() * tokens + 12.0 * pairs + 14.0 * params.weights();
        Work { flops: steps * flops, bytes: steps * 10.0 * params.weights() * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &LlamaTrainingParams, dtype: DType) -> f64 {
        tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_on_one_batch_lowers_its_loss() {
        let params = LlamaTrainingParams { steps: 8, ..LlamaTraining::ugly().swap_remove(2) };
        let mut inputs = LlamaTraining::inputs(&params, 4);
        let one: Vec<i32> = inputs.get("ids").of::<i32>()[..params.batch * (params.seq + 1)].to_vec();
        inputs.insert("ids", Array::new(vec![8, params.batch, params.seq + 1], &one.repeat(8)));
        let losses = LlamaTraining::reference(&params, &inputs, 4).answers.remove(0).values;
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    }

    #[test]
    fn weights_and_work_are_counted_by_hand() {
        let params = LlamaTrainingParams {
            layers: 1,
            heads: 2,
            kv_heads: 1,
            head_dim: 2,
            width: 3,
            hidden: 5,
            vocabulary: 7,
            batch: 1,
            seq: 2,
            ..Default::default()
        };
        // Matrices of 3 · 8, 4 · 3, 3 · 10 and 5 · 3 weights, and an embedding of 21.
        let inputs = LlamaTraining::inputs(&params, 1);
        let all: usize = LLAMA_TENSORS.iter().map(|name| inputs.get(name).len()).sum();
        assert_eq!((params.multiplied(), params.weights()), (102.0, all as f64));
        // Two tokens, and three pairs of a query and a key in two heads of two numbers.
        let work = LlamaTraining::work(&params, DType::F32);
        assert_eq!(work.flops, 4.0 * (6.0 * 102.0 * 2.0 + 12.0 * 4.0 * 3.0 + 14.0 * all as f64));
        assert_eq!(work.bytes, 4.0 * 40.0 * all as f64);
    }
}
