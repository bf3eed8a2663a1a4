//! The selective scan of Mamba.

use benchbook_core::{Array, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work};

use super::draw::{check_numbers, denormals, extremes, time_constants};
use super::rows::{by_channels, scan_step, sigmoid, softplus};

/// The selective scan (Gu & Dao, arXiv 2312.00752, algorithm 2, as in Mamba's own code: B by Euler's rule, the skip D x and the
/// gate inside).
///
/// With Δ = softplus(`delta` + `delta_bias`) and A = −exp(`a_log`), of each channel: h ← exp(Δ A) h + Δ B x,
/// y = (C h + D x) · z / (1 + e^−z). A case of one step is a step of decoding.
///
/// Inputs: `x`, `delta`, `z` `[batch, seq, channels]`, `b`, `c` `[batch, seq, state]`, `a_log` `[channels, state]`, `delta_bias`, `d`
/// `[channels]`, `start` `[batch, channels, state]`. Outputs: `output` `[batch, seq, channels]`, and `state`
/// `[batch, channels, state]` after the last step.
pub struct SelectiveScan;

benchbook_core::parameters! {
    /// Parameters of [`SelectiveScan`].
    pub struct SelectiveScanParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// steps of a sequence
        seq: usize = 512, 1..=1 << 24;
        /// channels, each with a state of its own
        channels: usize = 1536, 1..=1 << 20;
        /// numbers of a state
        state: usize = 16, 1..=256;
        /// whether steps forget all, or nothing, and some numbers are denormal
        extreme: bool = false;
    }
}

impl Problem for SelectiveScan {
    const NAME: &'static str = "selective-scan";
    const ABOUT: &'static str = "the selective scan of Mamba, with its softplus, skip and gate";
    type Params = SelectiveScanParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, channels: i64| {
            Params::default().with("seq", Value::Int(seq)).with("channels", Value::Int(channels))
        };
        // So narrow that two million steps have room: what differs is the length.
        let tier =
            |name: &'static str, seq: i64| Preset { name, cases: vec![of(seq, 16).with("state", Value::Int(4))] };
        let full = [(1, 1536), (2048, 1536), (8192, 1536), (1, 4096), (2048, 4096), (8192, 4096)];
        vec![
            Preset { name: "quick", cases: vec![of(1, 256), of(256, 256)] },
            Preset { name: "default", cases: full.map(|(seq, channels)| of(seq, channels)).into() },
            tier("seq-128", 1 << 7),
            tier("seq-2k", 1 << 11),
            tier("seq-32k", 1 << 15),
            tier("seq-1m", 1 << 20),
            tier("seq-2m", 1 << 21),
        ]
    }

    fn ugly() -> Vec<SelectiveScanParams> {
        let of = |[batch, seq, channels, state]: [usize; 4], extreme| SelectiveScanParams {
            batch,
            seq,
            channels,
            state,
            extreme,
        };
        vec![
            of([1, 1, 1, 1], false),
            of([3, 1, 67, 16], false),
            of([1, 4, 33, 17], true),
            of([2, 5, 17, 256], false),
            of([1, 129, 33, 5], false),
            // More channels than a task has where there are enough for all threads.
            of([2, 35, 259, 16], true),
            of([1, 40, 3, 9], true),
        ]
    }

    fn check(params: &SelectiveScanParams) -> Result<(), (&'static str, String)> {
        let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
        check_numbers("seq", &[batch, seq, channels.max(state)])?;
        check_numbers("channels", &[batch, channels, state])
    }

    fn label(params: &SelectiveScanParams) -> String {
        let SelectiveScanParams { batch, seq, channels, state, extreme } = *params;
        format!("b{batch} s{seq} c{channels} n{state}{}", if extreme { " extreme" } else { "" })
    }

    fn inputs(params: &SelectiveScanParams, seed: u64) -> Inputs {
        let SelectiveScanParams { batch, seq, channels, state, extreme } = *params;
        let wide = |stream| Array::normal(vec![batch, seq, channels], seed, stream);
        let narrow = |stream| Array::normal(vec![batch, seq, state], seed, stream);
        let (mut x, mut delta) = (wide(1), wide(2));
        if extreme {
            denormals(&mut x);
            extremes(&mut delta, seq);
        }
        // As it is initialised: −A counts the states of a channel.
        let a_log: Vec<f32> = (0..channels * state).map(|index| ((index % state + 1) as f32).ln()).collect();
        Inputs::from([
            ("x", x),
            ("delta", delta),
            ("z", wide(3)),
            ("b", narrow(4)),
            ("c", narrow(5)),
            ("a_log", Array::new(vec![channels, state], &a_log)),
            ("delta_bias", time_constants(channels)),
            ("d", Array::normal(vec![channels], seed, 6)),
            ("start", Array::normal(vec![batch, channels, state], seed, 7)),
        ])
    }

    /// Step by step, one channel after another.
    fn reference(params: &SelectiveScanParams, inputs: &Inputs, seed: u64) -> Reference {
        let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
        let [x, delta, z, b, c, a_log, delta_bias, d, start] =
            ["x", "delta", "z", "b", "c", "a_log", "delta_bias", "d", "start"].map(|name| inputs.numbers(name));
        by_channels([batch, seq, channels], state, seed, |sequence, channel| {
            let number = |numbers: &[f32], index: usize| f64::from(numbers[index]);
            let rates: Vec<f64> = (0..state).map(|n| -number(a_log, channel * state + n).exp()).collect();
            let first = (sequence * channels + channel) * state;
            let mut h: Vec<f64> = (0..state).map(|n| number(start, first + n)).collect();
            let step = |step: usize| {
                let (at, row) = ((sequence * seq + step) * channels + channel, (sequence * seq + step) * state);
                let (x, z) = (number(x, at), number(z, at));
                let delta = softplus(number(delta, at) + number(delta_bias, channel));
                let sum = number(d, channel) * x
                    + scan_step(&mut h, &rates, [delta, delta * x], [b, c].map(|all| &all[row..][..state]));
                sum * z * sigmoid(z)
            };
            let output = (0..seq).map(step).collect();
            (output, h)
        })
    }

    /// Of each state and step 7 operations, an exponential counted as one; of each channel and step 9 more.
    fn work(params: &SelectiveScanParams, dtype: DType) -> Work {
        let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
        let [batch, seq, channels, state] = [batch, seq, channels, state].map(|size| size as f64);
        let numbers = batch * seq * (4.0 * channels + 2.0 * state) + (2.0 * batch + 1.0) * channels * state;
        let bytes = (numbers + 2.0 * channels) * dtype.bytes() as f64;
        Work { flops: batch * seq * channels * (7.0 * state + 9.0), bytes }
    }

    fn tolerance(_params: &SelectiveScanParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    /// One for each number of a state and step, one for Δ and one for the gate.
    fn metrics(params: &SelectiveScanParams, _inputs: &Inputs) -> Vec<Metric> {
        let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
        let exponentials = (batch * seq * channels * (state + 2)) as f64;
        vec![Metric::modelled("exponentials", exponentials, "count")]
    }
}
