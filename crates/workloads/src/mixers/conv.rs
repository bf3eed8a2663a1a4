//! The short causal convolution before a mixer.

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Params, Preset, Problem, Reference, Tolerance, Value, Work, sample_rows,
};

use super::draw::{check_numbers, normal};
use super::rows::sigmoid;
use crate::rows::BUDGET;
use crate::tolerance::tolerance_of_copy;

/// A causal convolution of each channel by itself, as Mamba has it before its scan (Gu & Dao, arXiv 2312.00752, section 3.4):
/// y[t] = bias + Σₖ weight[k] · x[t + k − (width − 1)], and with `silu` y / (1 + e^−y). What stands before the first step is the last of
/// `start`. A case of one step is a step of decoding.
///
/// Inputs: `x` `[batch, seq, channels]`, `weight` `[width, channels]` with that of the newest step last, `bias` `[channels]`, `start`
/// `[batch, width − 1, channels]`, oldest first. Outputs: `output` `[batch, seq, channels]`, and `state`
/// `[batch, width − 1, channels]`, which is what `start` is for the step after the last.
pub struct CausalConv;

benchbook_core::parameters! {
    /// Parameters of [`CausalConv`].
    pub struct CausalConvParams {
        /// sequences in the batch
        batch: usize = 1, 1..=1 << 20;
        /// steps of a sequence
        seq: usize = 512, 1..=1 << 24;
        /// channels
        channels: usize = 1536, 1..=1 << 20;
        /// steps that a result depends on, its own included
        width: usize = 4, 2..=256;
        /// whether results go through x / (1 + e^−x)
        silu: bool = true;
    }
}

impl Problem for CausalConv {
    const NAME: &'static str = "causal-conv";
    const ABOUT: &'static str = "the short causal convolution before a scan, each channel by itself";
    type Params = CausalConvParams;

    fn presets() -> Vec<Preset> {
        let of = |seq: i64, channels: i64| {
            Params::default().with("seq", Value::Int(seq)).with("channels", Value::Int(channels))
        };
        let full = [(1, 1536), (2048, 1536), (8192, 1536), (2048, 4096)];
        vec![
            Preset { name: "quick", cases: vec![of(1, 256), of(256, 256)] },
            Preset { name: "default", cases: full.map(|(seq, channels)| of(seq, channels)).into() },
        ]
    }

    fn ugly() -> Vec<CausalConvParams> {
        let of =
            |silu, [batch, seq, channels, width]: [usize; 4]| CausalConvParams { batch, seq, channels, width, silu };
        vec![
            of(true, [1, 1, 1, 2]),
            of(true, [3, 1, 67, 4]),
            // Fewer steps than the width has.
            of(false, [2, 3, 33, 5]),
            of(true, [1, 2, 17, 9]),
            of(false, [2, 131, 35, 3]),
            of(true, [1, 67, 18, 130]),
        ]
    }

    fn check(params: &CausalConvParams) -> Result<(), (&'static str, String)> {
        let CausalConvParams { batch, seq, channels, width, .. } = *params;
        check_numbers("seq", &[batch, seq.max(width), channels])
    }

    fn label(params: &CausalConvParams) -> String {
        let CausalConvParams { batch, seq, channels, width, silu } = *params;
        format!("b{batch} s{seq} c{channels} w{width}{}", if silu { " silu" } else { "" })
    }

    fn inputs(params: &CausalConvParams, seed: u64) -> Inputs {
        let CausalConvParams { batch, seq, channels, width, .. } = *params;
        let deviation = 1.0 / (width as f32).sqrt();
        Inputs::from([
            ("x", Array::normal(vec![batch, seq, channels], seed, 1)),
            ("weight", normal(vec![width, channels], [0.0, deviation], seed, 2)),
            ("bias", Array::normal(vec![channels], seed, 3)),
            ("start", Array::normal(vec![batch, width - 1, channels], seed, 4)),
        ])
    }

    /// By plain loops; a row is one step of one sequence.
    fn reference(params: &CausalConvParams, inputs: &Inputs, seed: u64) -> Reference {
        let CausalConvParams { batch, seq, channels, width, silu } = *params;
        let [x, weight, bias, start] = ["x", "weight", "bias", "start"].map(|name| inputs.numbers(name));
        let before = width - 1;
        // Steps of a sequence count from the first of `start`.
        let number = |sequence: usize, step: usize, channel: usize| {
            let (from, row) =
                if step < before { (start, sequence * before + step) } else { (x, sequence * seq + step - before) };
            f64::from(from[row * channels + channel])
        };
        let one = |sequence: usize, step: usize, channel: usize| {
            let product =
                |tap: usize| f64::from(weight[tap * channels + channel]) * number(sequence, step + tap, channel);
            let sum = f64::from(bias[channel]) + (0..width).map(product).sum::<f64>();
            if silu { sum * sigmoid(sum) } else { sum }
        };
        let rows = sample_rows(batch * seq, (BUDGET / (channels * width)).max(16), seed);
        let of_row =
            |row: &usize| (0..channels).map(|channel| one(row / seq, row % seq, channel)).collect::<Vec<f64>>();
        let values = rows.iter().flat_map(of_row).collect();
        let states: Vec<usize> = (0..batch * before).collect();
        let of_state = |row: &usize| {
            let (sequence, step) = (row / before, seq + row % before);
            (0..channels).map(|channel| number(sequence, step, channel)).collect::<Vec<f64>>()
        };
        let kept = states.iter().flat_map(of_state).collect();
        let answer = |name: &'static str, steps: usize, rows, values| Answer {
            name: name.into(),
            shape: vec![batch, steps, channels],
            rows,
            values,
            check: Check::Near,
        };
        Reference { answers: vec![answer("output", seq, rows, values), answer("state", before, states, kept)] }
    }

    /// A multiply-add for each weight, and four operations for x / (1 + e^−x).
    fn work(params: &CausalConvParams, dtype: DType) -> Work {
        let CausalConvParams { batch, seq, channels, width, silu } = *params;
        let [batch, seq, channels, width] = [batch, seq, channels, width].map(|size| size as f64);
        let each = 2.0 * width + if silu { 4.0 } else { 0.0 };
        let numbers = 2.0 * batch * (seq + width - 1.0) + width + 1.0;
        Work { flops: batch * seq * channels * each, bytes: numbers * channels * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &CausalConvParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }

    /// The state is the last steps as they were given.
    fn tolerances(_params: &CausalConvParams, dtype: DType) -> Vec<Tolerance> {
        vec![tolerance_of_copy("state", dtype)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_off_by_no_more_than_it_was_rounded() {
        let params = CausalConvParams { batch: 2, seq: 7, channels: 5, width: 4, silu: true };
        let right = CausalConv::reference(&params, &CausalConv::inputs(&params, 3), 3);
        // The output is right, and every number of the state too large by this share.
        let outputs = |share: f64| -> Vec<Array> {
            let one = |answer: &Answer| {
                let factor = if answer.name == "state" { 1.0 + share } else { 1.0 };
                let values: Vec<f64> = answer.values.iter().map(|value| factor * value).collect();
                Array::new(answer.shape.clone(), &values)
            };
            right.answers.iter().map(one).collect()
        };
        for dtype in [DType::F32, DType::F16, DType::Bf16] {
            let (of_all, own) = (CausalConv::tolerance(&params, dtype), CausalConv::tolerances(&params, dtype));
            let passes = |share: f64| right.compare_within(&outputs(share), &own).iter().all(|one| one.passes(of_all));
            assert!(passes(0.0) && passes(0.9 * own[0].relative), "{dtype}");
            // By what the output is allowed, this would be right.
            let unseen = right.compare(&outputs(of_all / 2.0));
            assert!(unseen.iter().all(|one| one.passes(of_all)) && !passes(of_all / 2.0), "{dtype}");
        }
    }
}
