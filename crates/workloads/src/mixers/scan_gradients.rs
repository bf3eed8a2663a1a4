//! The gradients of the selective scan of Mamba.

use std::ops::Range;

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work, sample_rows,
};
use rayon::prelude::*;

use super::rows::{KEPT, sigmoid, softplus};
use super::{SelectiveScan, SelectiveScanParams};

/// The selective scan forward and backward (Gu & Dao, arXiv 2312.00752, section 3.3.2): the gradients of all of its inputs, where
/// that of its result is given, and nothing follows from its last state.
///
/// Inputs: those of [`SelectiveScan`], and `grad` `[batch, seq, channels]`. Outputs: `x_grad` and so on, in the shapes of the inputs
/// and in the order in which [`SelectiveScan`] names them.
pub struct SelectiveScanGradients;

/// The forward pass, again, and twice its operations back.
const PASSES: f64 = 3.0;

/// Channels whose gradients of B and C one thread adds up.
const TOGETHER: usize = 16;

const NAMES: [&str; 10] = ["x", "delta", "z", "b", "c", "a_log", "delta_bias", "d", "start", "grad"];

impl Problem for SelectiveScanGradients {
    const NAME: &'static str = "selective-scan-gradients";
    const ABOUT: &'static str = "the selective scan of Mamba forward and backward: the gradients of its inputs";
    type Params = SelectiveScanParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, channels: i64| {
            Params::default().with("seq", Value::Int(seq)).with("channels", Value::Int(channels))
        };
        vec![
            Preset { name: "quick", cases: vec![of(128, 64)] },
            Preset { name: "default", cases: vec![of(512, 1536), of(2048, 1536)] },
        ]
    }

    fn ugly() -> Vec<SelectiveScanParams> {
        SelectiveScan::ugly()
    }

    fn check(params: &SelectiveScanParams) -> Result<(), (&'static str, String)> {
        SelectiveScan::check(params)
    }

    fn label(params: &SelectiveScanParams) -> String {
        SelectiveScan::label(params)
    }

    fn inputs(params: &SelectiveScanParams, seed: u64) -> Inputs {
        let mut inputs = SelectiveScan::inputs(params, seed);
        inputs.insert("grad", Array::normal(vec![params.batch, params.seq, params.channels], seed, 8));
        inputs
    }

    /// By reverse mode, one channel after another, with all of its states in memory; of the steps of x, Δ and z, as many are kept
    /// as memory allows.
    fn reference(params: &SelectiveScanParams, inputs: &Inputs, seed: u64) -> Reference {
        let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
        let rows = sample_rows(batch * seq, (KEPT / channels).max(16), seed);
        let some = |group: usize| {
            let first = group * TOGETHER;
            of_channels(params, inputs, &rows, first..channels.min(first + TOGETHER))
        };
        let groups: Vec<Group> = (0..channels.div_ceil(TOGETHER)).into_par_iter().map(some).collect();
        let all: Vec<&Channel> = groups.iter().flat_map(|group| &group.channels).collect();
        let wide = |which: usize| -> Vec<f64> {
            (0..rows.len()).flat_map(|row| all.iter().map(move |channel| channel.wide[which][row])).collect()
        };
        let shared = |which: usize| -> Vec<f64> {
            let mut sums = vec![0.0; batch * seq * state];
            for group in &groups {
                sums.iter_mut().zip(&group.shared[which]).for_each(|(sum, part)| *sum += part);
            }
            sums
        };
        let start = |sequence: usize| all.iter().flat_map(move |one| &one.start[sequence * state..][..state]).copied();
        let answer = |name: &'static str, shape: &[usize], rows: Option<Vec<usize>>, values: Vec<f64>| {
            let every = || (0..shape.iter().rev().skip(1).product::<usize>()).collect();
            Answer {
                name: name.into(),
                shape: shape.to_vec(),
                rows: rows.unwrap_or_else(every),
                values,
                check: Check::Near,
            }
        };
        let (of_step, of_both) = ([batch, seq, channels], [batch, seq, state]);
        Reference {
            answers: vec![
                answer("x_grad", &of_step, Some(rows.clone()), wide(0)),
                answer("delta_grad", &of_step, Some(rows.clone()), wide(1)),
                answer("z_grad", &of_step, Some(rows.clone()), wide(2)),
                answer("b_grad", &of_both, None, shared(0)),
                answer("c_grad", &of_both, None, shared(1)),
                answer("a_log_grad", &[channels, state], None, all.iter().flat_map(|one| one.a_log.clone()).collect()),
                answer("delta_bias_grad", &[channels], None, all.iter().map(|one| one.delta_bias).collect()),
                answer("d_grad", &[channels], None, all.iter().map(|one| one.d).collect()),
                answer("start_grad", &[batch, channels, state], None, (0..batch).flat_map(start).collect()),
            ],
        }
    }

    fn work(params: &SelectiveScanParams, dtype: DType) -> Work {
        let forward = SelectiveScan::work(params, dtype);
        // Inputs and their gradients; the gradient of the result stands in the place of the result.
        Work { flops: PASSES * forward.flops, bytes: 2.0 * forward.bytes }
    }

    fn tolerance(params: &SelectiveScanParams, dtype: DType) -> f64 {
        SelectiveScan::tolerance(params, dtype)
    }

    fn metrics(params: &SelectiveScanParams, inputs: &Inputs) -> Vec<Metric> {
        SelectiveScan::metrics(params, inputs)
    }
}

/// Gradients of a channel.
struct Channel {
    /// Of x, Δ before its bias, and z, of the steps that are kept.
    wide: [Vec<f64>; 3],
    a_log: Vec<f64>,
    delta_bias: f64,
    d: f64,
    /// `[batch, state]`
    start: Vec<f64>,
}

/// Gradients of some channels, and what they add to those of B and C, `[batch, seq, state]`.
struct Group {
    channels: Vec<Channel>,
    shared: [Vec<f64>; 2],
}

fn of_channels(params: &SelectiveScanParams, inputs: &Inputs, rows: &[usize], channels: Range<usize>) -> Group {
    let zeros = vec![0.0; params.batch * params.seq * params.state];
    let mut shared = [zeros.clone(), zeros];
    let channels = channels.map(|channel| of_channel(params, inputs, rows, channel, &mut shared)).collect();
    Group { channels, shared }
}

fn of_channel(
    params: &SelectiveScanParams,
    inputs: &Inputs,
    rows: &[usize],
    channel: usize,
    [of_b, of_c]: &mut [Vec<f64>; 2],
) -> Channel {
    let SelectiveScanParams { batch, seq, channels, state, .. } = *params;
    let [x, delta, z, b, c, a_log, delta_bias, d, start, grad] = NAMES.map(|name| inputs.numbers(name));
    let number = |from: &[f32], at: usize| f64::from(from[at]);
    let rates: Vec<f64> = (0..state).map(|n| -number(a_log, channel * state + n).exp()).collect();
    let (bias, skip) = (number(delta_bias, channel), number(d, channel));
    let wide = [Vec::new(), Vec::new(), Vec::new()];
    let mut found = Channel { wide, a_log: vec![0.0; state], delta_bias: 0.0, d: 0.0, start: Vec::new() };
    for sequence in 0..batch {
        let at = |step: usize| (sequence * seq + step) * channels + channel;
        let width = |step: usize| softplus(number(delta, at(step)) + bias);
        // The states before each step, and after the last.
        let first = (sequence * channels + channel) * state;
        let mut states: Vec<f64> = (0..state).map(|n| number(start, first + n)).collect();
        for step in 0..seq {
            let (width, x, row) = (width(step), number(x, at(step)), (sequence * seq + step) * state);
            for (n, rate) in rates.iter().enumerate() {
                let left = (width * rate).exp() * states[step * state + n];
                states.push(left + width * number(b, row + n) * x);
            }
        }
        let mut steps = [vec![0.0; seq], vec![0.0; seq], vec![0.0; seq]];
        let mut later = vec![0.0; state];
        for step in (0..seq).rev() {
            let (width, row) = (width(step), (sequence * seq + step) * state);
            let [x, z, grad] = [x, z, grad].map(|numbers| number(numbers, at(step)));
            let share = sigmoid(z);
            let slope = grad * z * share;
            let (mut gated, mut of_x, mut of_width) = (skip * x, skip * slope, 0.0);
            for (n, rate) in rates.iter().enumerate() {
                let (before, after) = (states[step * state + n], states[(step + 1) * state + n]);
                let decay = (width * rate).exp();
                let of_state = slope * number(c, row + n) + later[n];
                let of_decay = of_state * before * decay;
                gated += number(c, row + n) * after;
                of_c[row + n] += slope * after;
                of_b[row + n] += of_state * width * x;
                of_x += of_state * width * number(b, row + n);
                of_width += of_decay * rate + of_state * number(b, row + n) * x;
                found.a_log[n] += of_decay * width * rate;
                later[n] = of_state * decay;
            }
            let of_delta = of_width * sigmoid(number(delta, at(step)) + bias);
            found.delta_bias += of_delta;
            found.d += slope * x;
            let of_z = grad * gated * share * (1.0 + z * (1.0 - share));
            [steps[0][step], steps[1][step], steps[2][step]] = [of_x, of_delta, of_z];
        }
        found.start.extend(later);
        for row in rows.iter().filter(|row| **row / seq == sequence) {
            found.wide.iter_mut().zip(&steps).for_each(|(kept, steps)| kept.push(steps[row % seq]));
        }
    }
    found
}
