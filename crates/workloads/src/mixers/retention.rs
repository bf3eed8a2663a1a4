//! Retention, the mixer of RetNet.

use benchbook_core::{Answer, Array, DType, Inputs, Params, Preset, Problem, Reference, Value, Work};

use super::CHUNK;
use super::draw::check_numbers;
use crate::rows::by_rows;

/// Multi-scale retention (Sun et al., arXiv 2307.08621, section 2.1) before its group norm, of heads that forget at rates of
/// their own: a step leaves γ = 1 − 2^(−5 − head) of the state.
///
/// The form `plain` is not normalised: S ← γ S + key ⊗ value / √key_dim, result = query · S. The form `normalised` is that of
/// torchscale's parallel forward, from an empty state: the decays γ^(n − m) of a row are divided by the root of their sum, and then
/// the row by the absolute value of the sum of its weights, where that is above 1. With `xpos`, queries and keys are turned by
/// their positions first, in pairs of numbers side by side, pair i of p by 10000^(−i / (p − 1)) a position: torchscale calls this
/// xPos.
///
/// Inputs: `query`, `key` `[batch, seq, heads, key_dim]`, `value` `[batch, seq, heads, value_dim]`, and of the plain form `start`
/// `[batch, heads, key_dim, value_dim]`. Outputs: `output` `[batch, seq, heads, value_dim]`, and of the plain form `state`
/// `[batch, heads, key_dim, value_dim]` after the last step. A plain case of one step is a step of decoding.
pub struct Retention;

/// The base of the angles.
pub const BASE: f64 = 10_000.0;

benchbook_core::parameters! {
    /// Parameters of [`Retention`].
    pub struct RetentionParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// steps of a sequence
        seq: usize = 512, 1..=1 << 24;
        /// heads, each with a decay and a state of its own
        heads: usize = 8, 1..=1 << 20;
        /// numbers of a query, and of a key
        key_dim: usize = 256, 1..=1 << 16;
        /// numbers of a value
        value_dim: usize = 512, 1..=1 << 16;
        /// how results are scaled before the group norm: not at all, or as torchscale does
        form: String = "plain".to_owned(), ["plain", "normalised"];
        /// whether queries and keys are turned by their positions
        xpos: bool = true;
        /// the position of the first step
        first_position: usize = 0, 0..=1 << 24;
    }
}

impl RetentionParams {
    /// Whether results are scaled as torchscale does it.
    pub fn is_normalised(&self) -> bool {
        self.form == "normalised"
    }

    /// What a step leaves of the state, by heads.
    pub fn left(&self) -> Vec<f64> {
        (0..self.heads).map(|head| 1.0 - (-5.0 - head as f64).exp2()).collect()
    }

    /// The angle by which a pair of numbers turns at a step.
    pub fn angle(&self, step: usize, pair: usize) -> f64 {
        let last = (self.key_dim / 2).saturating_sub(1).max(1);
        (self.first_position + step) as f64 * BASE.powf(-(pair as f64) / last as f64)
    }
}

impl Problem for Retention {
    const NAME: &'static str = "retention";
    const ABOUT: &'static str = "the retention of RetNet before its group norm";
    type Params = RetentionParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64| Params::default().with("seq", Value::Int(seq));
        let small = |seq: i64| {
            let sizes = [("heads", 4), ("key_dim", 32), ("value_dim", 64)];
            sizes.into_iter().fold(of(seq), |params, (name, size)| params.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![small(1), small(200)] },
            Preset { name: "default", cases: [1, 2048, 8192].map(of).into() },
        ]
    }

    fn ugly() -> Vec<RetentionParams> {
        let of = |form: &str, position: Option<usize>, [batch, seq, heads, key_dim, value_dim]: [usize; 5]| {
            RetentionParams {
                batch,
                seq,
                heads,
                key_dim,
                value_dim,
                form: form.to_owned(),
                xpos: position.is_some(),
                first_position: position.unwrap_or(0),
            }
        };
        vec![
            of("plain", None, [1, 1, 1, 1, 1]),
            of("plain", Some(1000), [2, 1, 3, 34, 67]),
            of("plain", None, [1, 65, 2, 3, 5]),
            of("plain", Some(0), [2, 67, 3, 18, 33]),
            // Heads that forget nothing in `f32`.
            of("plain", None, [1, 3, 40, 2, 2]),
            of("normalised", None, [1, 1, 2, 1, 1]),
            of("normalised", Some(3), [2, 66, 3, 18, 33]),
        ]
    }

    fn check(params: &RetentionParams) -> Result<(), (&'static str, String)> {
        let RetentionParams { batch, seq, heads, key_dim, value_dim, xpos, .. } = *params;
        if xpos && !key_dim.is_multiple_of(2) {
            return Err(("key_dim", format!("{key_dim} is odd: numbers are turned in pairs")));
        }
        check_numbers("seq", &[batch, seq, heads, key_dim.max(value_dim)])?;
        check_numbers("heads", &[batch, heads, key_dim, value_dim])
    }

    fn label(params: &RetentionParams) -> String {
        let RetentionParams { batch, seq, heads, key_dim, value_dim, xpos, first_position, .. } = params;
        let turned = if *xpos { format!(" xpos from {first_position}") } else { format!(" from {first_position}") };
        format!("b{batch} s{seq} h{heads} k{key_dim} v{value_dim} {}{turned}", params.form)
    }

    fn inputs(params: &RetentionParams, seed: u64) -> Inputs {
        let RetentionParams { batch, seq, heads, key_dim, value_dim, .. } = *params;
        let mut inputs = Inputs::from([
            ("query", Array::normal(vec![batch, seq, heads, key_dim], seed, 1)),
            ("key", Array::normal(vec![batch, seq, heads, key_dim], seed, 2)),
            ("value", Array::normal(vec![batch, seq, heads, value_dim], seed, 3)),
        ]);
        if !params.is_normalised() {
            inputs.insert("start", Array::normal(vec![batch, heads, key_dim, value_dim], seed, 4));
        }
        inputs
    }

    /// By all pairs of steps; a row is one step of one head of one sequence, or what the last state has for one key.
    fn reference(params: &RetentionParams, inputs: &Inputs, seed: u64) -> Reference {
        let RetentionParams { batch, seq, heads, key_dim, value_dim, .. } = *params;
        let left = params.left();
        let normalised = params.is_normalised();
        let start: &[f32] = if normalised { &[] } else { inputs.numbers("start") };
        let [query, key] = ["query", "key"].map(|name| turned(params, inputs.numbers(name)));
        let value = inputs.numbers("value");
        let scale = 1.0 / (key_dim as f64).sqrt();
        let row = |index: usize| {
            let (step, head) = (index / heads % seq, index % heads);
            let query = &query[index * key_dim..][..key_dim];
            let (mut decay, mut decays, mut sum, mut sums) = (1.0, 0.0, 0.0, vec![0.0; value_dim]);
            for since in 0..=step {
                let at = index - since * heads;
                let product: f64 = query.iter().zip(&key[at * key_dim..]).map(|(query, key)| query * key).sum();
                let weight = decay * scale * product;
                add(&mut sums, weight, &value[at * value_dim..]);
                (sum, decays, decay) = (sum + weight, decays + decay, decay * left[head]);
            }
            if normalised {
                let root = decays.sqrt();
                let divisor = root * (sum / root).abs().max(1.0);
                sums.iter_mut().for_each(|number| *number /= divisor);
            } else {
                let state = &start[(index / heads / seq * heads + head) * key_dim * value_dim..];
                for (query, state) in query.iter().zip(state.chunks_exact(value_dim)) {
                    add(&mut sums, decay * query, state);
                }
            }
            sums
        };
        let mut answers = by_rows(vec![batch, seq, heads, value_dim], seq * (key_dim + value_dim), seed, row).answers;
        if !normalised {
            let of_state = |index: usize| {
                let (sequence, head, one) = (index / key_dim / heads, index / key_dim % heads, index % key_dim);
                let (mut decay, mut sums) = (1.0, vec![0.0; value_dim]);
                for step in (0..seq).rev() {
                    let at = (sequence * seq + step) * heads + head;
                    add(&mut sums, decay * scale * key[at * key_dim + one], &value[at * value_dim..]);
                    decay *= left[head];
                }
                add(&mut sums, decay, &start[index * value_dim..]);
                sums
            };
            let state = by_rows(vec![batch, heads, key_dim, value_dim], seq * value_dim, seed, of_state).answers;
            answers.extend(state.into_iter().map(|answer| Answer { name: "state".into(), ..answer }));
        }
        Reference { answers }
    }

    /// That of chunks of 64 steps, or of one where there are fewer: each score is computed once for a pair of steps.
    fn work(params: &RetentionParams, dtype: DType) -> Work {
        let RetentionParams { batch, seq, heads, key_dim, value_dim, .. } = *params;
        let chunk = CHUNK.min(seq) as f64;
        let [batch, seq, heads, key_dim, value_dim] = [batch, seq, heads, key_dim, value_dim].map(|size| size as f64);
        let each = (chunk + 1.0) / 2.0 * (key_dim + value_dim) + 2.0 * key_dim * value_dim;
        let states = if params.is_normalised() { 0.0 } else { 2.0 * key_dim * value_dim };
        let numbers = seq * (2.0 * key_dim + 2.0 * value_dim) + states;
        Work { flops: 2.0 * batch * seq * heads * each, bytes: batch * heads * numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &RetentionParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

/// Adds a factor times numbers, as many as there are sums.
fn add(sums: &mut [f64], factor: f64, numbers: &[f32]) {
    sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += factor * f64::from(*number));
}

/// Queries or keys at their positions.
fn turned(params: &RetentionParams, numbers: &[f32]) -> Vec<f64> {
    let plain = || numbers.iter().map(|number| f64::from(*number));
    if !params.xpos {
        return plain().collect();
    }
    let RetentionParams { seq, heads, key_dim, .. } = *params;
    let pairs = key_dim / 2;
    let angle = |index: usize| params.angle(index / pairs, index % pairs).sin_cos();
    let angles: Vec<(f64, f64)> = (0..seq * pairs).map(angle).collect();
    let mut all: Vec<f64> = plain().collect();
    for (row, numbers) in all.chunks_exact_mut(key_dim).enumerate() {
        let angles = &angles[row / heads % seq * pairs..][..pairs];
        for (pair, (sin, cos)) in numbers.chunks_exact_mut(2).zip(angles) {
            (pair[0], pair[1]) = (pair[0] * cos - pair[1] * sin, pair[1] * cos + pair[0] * sin);
        }
    }
    all
}
