//! The recurrence of RWKV-4.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::draw::{check_numbers, decays, denormals, normal};
use super::rows::{by_channels, rwkv4_step, sigmoid};

/// The receptance-weighted key-value of RWKV-4 (Peng et al., arXiv 2305.13048, section 3.1, equations 13 to 17): an average of values,
/// weighted by their keys and by how long ago they were.
///
/// Of each channel: y[t] = σ(r[t]) · (Σ e^(k[i] − (t − 1 − i) exp(`decay`)) v[i] + e^(u + k[t]) v[t]) / (the same sum of weights), over all
/// i < t and a state before the first step. A state is an average and the logarithm of its weight, which is what the numerators
/// and denominators of other writings come to. A case of one step is a step of decoding.
///
/// Inputs: `r`, `k`, `v` `[batch, seq, channels]`, `decay`, `u` `[channels]`, `start` `[batch, channels, 2]`. Outputs: `output`
/// `[batch, seq, channels]`, and `state` `[batch, channels, 2]` after the last step.
pub struct Rwkv4;

benchbook_core::parameters! {
    /// Parameters of [`Rwkv4`].
    pub struct Rwkv4Params {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// steps of a sequence
        seq: usize = 1024, 1..=1 << 24;
        /// channels
        channels: usize = 768, 1..=1 << 20;
        /// whether channels forget all, or nothing, and some numbers are denormal
        extreme: bool = false;
    }
}

impl Problem for Rwkv4 {
    const NAME: &'static str = "rwkv-4";
    const ABOUT: &'static str = "the recurrence of RWKV-4: averages of values that fade by channel";
    type Params = Rwkv4Params;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64| Params::default().with("seq", Value::Int(seq));
        let small = |seq: i64| of(seq).with("channels", Value::Int(128));
        vec![
            Preset { name: "quick", cases: vec![small(1), small(200)] },
            Preset { name: "default", cases: [1, 1024, 4096].map(of).into() },
        ]
    }

    fn ugly() -> Vec<Rwkv4Params> {
        let of = |extreme, [batch, seq, channels]: [usize; 3]| Rwkv4Params { batch, seq, channels, extreme };
        let sizes = [[1, 1, 1], [3, 1, 67], [1, 2, 17], [2, 67, 33], [1, 130, 3]];
        let extreme = [[2, 4, 19], [1, 40, 3]];
        sizes.map(|size| of(false, size)).into_iter().chain(extreme.map(|size| of(true, size))).collect()
    }

    fn check(params: &Rwkv4Params) -> Result<(), (&'static str, String)> {
        check_numbers("seq", &[params.batch, params.seq, params.channels])
    }

    fn label(params: &Rwkv4Params) -> String {
        let Rwkv4Params { batch, seq, channels, extreme } = *params;
        format!("b{batch} s{seq} c{channels}{}", if extreme { " extreme" } else { "" })
    }

    fn inputs(params: &Rwkv4Params, seed: u64) -> Inputs {
        let Rwkv4Params { batch, seq, channels, extreme } = *params;
        let wide = |stream| Array::normal(vec![batch, seq, channels], seed, stream);
        // As it is initialised: from e^−5 to e^3. What fades by e^20 a step is gone, and by e^−200 stays.
        let usual = |channel: usize| -5.0 + 8.0 * channel as f32 / channels as f32;
        let of_channel = |channel: usize| match channel % 3 {
            1 if extreme => 20.0,
            2 if extreme => -200.0,
            _ => usual(channel),
        };
        let decay: Vec<f32> = (0..channels).map(of_channel).collect();
        let mut v = wide(3);
        if extreme {
            denormals(&mut v);
        }
        Inputs::from([
            ("r", wide(1)),
            ("k", wide(2)),
            ("v", v),
            ("decay", Array::new(vec![channels], &decay)),
            ("u", normal(vec![channels], [0.0, 0.5], seed, 4)),
            ("start", Array::normal(vec![batch, channels, 2], seed, 5)),
        ])
    }

    /// Step by step, one channel after another.
    fn reference(params: &Rwkv4Params, inputs: &Inputs, seed: u64) -> Reference {
        let Rwkv4Params { batch, seq, channels, .. } = *params;
        let [r, k, v, decay, u, start] = ["r", "k", "v", "decay", "u", "start"].map(|name| inputs.numbers(name));
        by_channels([batch, seq, channels], 2, seed, |sequence, channel| {
            let number = |numbers: &[f32], index: usize| f64::from(numbers[index]);
            let first = 2 * (sequence * channels + channel);
            let mut state = vec![number(start, first), number(start, first + 1)];
            let of_channel = [number(decay, channel), number(u, channel)];
            let step = |step: usize| {
                let at = (sequence * seq + step) * channels + channel;
                sigmoid(number(r, at)) * rwkv4_step(&mut state, [number(k, at), number(v, at)], of_channel)
            };
            let output = (0..seq).map(step).collect();
            (output, state)
        })
    }

    /// Of each channel and step 22 operations, an exponential counted as one.
    fn work(params: &Rwkv4Params, dtype: DType) -> Work {
        let Rwkv4Params { batch, seq, channels, .. } = *params;
        let [batch, seq, channels] = [batch, seq, channels].map(|size| size as f64);
        let numbers = batch * (4.0 * seq + 4.0) * channels + 2.0 * channels;
        Work { flops: 22.0 * batch * seq * channels, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &Rwkv4Params, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    fn metrics(_params: &Rwkv4Params, inputs: &Inputs) -> Vec<Metric> {
        decays(inputs.get("decay"), |number| (-number.exp()).exp())
    }
}
