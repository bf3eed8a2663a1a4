//! The way back through a chain of operations that a transformer has between its products.

use benchbook_core::{
    Answer, Check, DType, Inputs, Metric, Params, Preset, Problem, Reference, Value, Work, sample_rows,
};
use rayon::prelude::*;

use crate::blocks::EPSILON;
use crate::draw::{check_numbers, normal};
use crate::rows::BUDGET;
use crate::tolerance::tolerance_of_sum;

/// The gradients of [`super::NormChain`]: of the residual sum, which both of its terms have, of the gate and of the gain (Zhang & Sennrich,
/// arXiv 1910.07467; the slope of SiLU is σ(x) · (1 + x · (1 − σ(x)))). With x̂ the normalised sum and d the gradient of the norm's result,
/// that of the sum is what goes past the norm and (d · gain − x̂ · mean(d · gain · x̂)) over the root mean square.
///
/// Inputs: `sum`, `gate`, `sum_grad` (what goes past the norm) and `output_grad` `[rows, width]`, `gain` `[width]`. Outputs: `grad` and
/// `gate_grad` `[rows, width]`, `gain_grad` `[1, width]`.
pub struct NormChainGradients;

/// Matrices that are read and written at least: four inputs and two outputs.
const MOVED: f64 = 6.0;

benchbook_core::parameters! {
    /// Parameters of [`NormChainGradients`].
    pub struct NormChainGradientsParams {
        /// positions
        rows: usize = 512, 1..=1 << 16;
        /// numbers of a position
        width: usize = 2048, 1..=1 << 17;
    }
}

/// What a row gives: its gradient, that of its gate, and what it adds to that of the gain.
type Found = [Vec<f64>; 3];

/// The gradients of a row.
fn row_of([sum, gate, past, grad]: [&[f32]; 4], gain: &[f32]) -> Found {
    let wide = |numbers: &[f32]| -> Vec<f64> { numbers.iter().map(|number| f64::from(*number)).collect() };
    let [sum, gate, past, grad, gain] = [sum, gate, past, grad, gain].map(wide);
    let square = sum.iter().map(|x| x * x).sum::<f64>() / sum.len() as f64;
    let scale = 1.0 / (square + EPSILON).sqrt();
    let normed: Vec<f64> = sum.iter().map(|x| x * scale).collect();
    let share: Vec<f64> = gate.iter().map(|gate| 1.0 / (1.0 + (-gate).exp())).collect();
    let columns = || 0..sum.len();
    let norm_grad: Vec<f64> = columns().map(|at| grad[at] * gate[at] * share[at]).collect();
    let along = columns().map(|at| norm_grad[at] * gain[at] * normed[at]).sum::<f64>() / sum.len() as f64;
    let of_sum = columns().map(|at| past[at] + scale * (norm_grad[at] * gain[at] - normed[at] * along)).collect();
    let slope = |at: usize| share[at] * (1.0 + gate[at] * (1.0 - share[at]));
    let of_gate = columns().map(|at| grad[at] * normed[at] * gain[at] * slope(at)).collect();
    let of_gain = columns().map(|at| norm_grad[at] * normed[at]).collect();
    [of_sum, of_gate, of_gain]
}

impl Problem for NormChainGradients {
    const NAME: &'static str = "norm-chain-gradients";
    const ABOUT: &'static str =
        "the gradients of a residual sum, its RMS norm, and the product of that with SiLU of a gate";
    type Params = NormChainGradientsParams;

    fn presets() -> Vec<Preset> {
        let of = |rows: i64| Params::default().with("rows", Value::Int(rows));
        vec![
            Preset { name: "quick", cases: vec![of(128), of(1024)] },
            // The last has inputs and outputs of 64 MiB each.
            Preset { name: "default", cases: vec![of(128), of(1024), of(8192)] },
        ]
    }

    fn ugly() -> Vec<NormChainGradientsParams> {
        let of = |[rows, width]: [usize; 2]| NormChainGradientsParams { rows, width };
        [[1, 2], [3, 17], [67, 33], [1, 1031], [5, 4099]].map(of).into()
    }

    fn check(params: &NormChainGradientsParams) -> Result<(), (&'static str, String)> {
        check_numbers("rows", &[params.rows, params.width])
    }

    fn label(params: &NormChainGradientsParams) -> String {
        format!("{}×{}", params.rows, params.width)
    }

    fn inputs(params: &NormChainGradientsParams, seed: u64) -> Inputs {
        let NormChainGradientsParams { rows, width } = *params;
        let of = |stream: u64| normal(vec![rows, width], [0.0, 1.0], seed, stream);
        let gain = normal(vec![width], [1.0, 0.1], seed, 5);
        Inputs::from([("sum", of(1)), ("gate", of(2)), ("sum_grad", of(3)), ("output_grad", of(4)), ("gain", gain)])
    }

    /// All rows are gone through, since each has a share in the gradient of the gain.
    fn reference(params: &NormChainGradientsParams, inputs: &Inputs, seed: u64) -> Reference {
        let NormChainGradientsParams { rows, width } = *params;
        let kept = sample_rows(rows, (BUDGET / (8 * width)).max(16), seed);
        let all = ["sum", "gate", "sum_grad", "output_grad"].map(|name| inputs.numbers(name));
        let gain = inputs.numbers("gain");
        let one = |row: usize| row_of(all.map(|matrix| &matrix[row * width..][..width]), gain);
        let added = |mut sums: Vec<f64>, row: usize| {
            sums.iter_mut().zip(&one(row)[2]).for_each(|(sum, number)| *sum += number);
            sums
        };
        let joined = |mut sums: Vec<f64>, others: Vec<f64>| {
            sums.iter_mut().zip(&others).for_each(|(sum, number)| *sum += number);
            sums
        };
        let of_gain = (0..rows).into_par_iter().fold(|| vec![0.0; width], added).reduce(|| vec![0.0; width], joined);
        let found: Vec<Found> = kept.par_iter().map(|row| one(*row)).collect();
        let answer = |(which, name): (usize, &'static str)| Answer {
            name: name.into(),
            shape: vec![rows, width],
            rows: kept.clone(),
            values: found.iter().flat_map(|all| all[which].iter().copied()).collect(),
            check: Check::Near,
        };
        let gain_grad = Answer {
            name: "gain_grad".into(),
            shape: vec![1, width],
            rows: vec![0],
            values: of_gain,
            check: Check::Near,
        };
        let both = ["grad", "gate_grad"].into_iter().enumerate().map(answer);
        Reference { answers: both.chain([gain_grad]).collect() }
    }

    /// For each number two operations for the mean square, one to normalise, seven for the gate beside its exponential, four for the mean
    /// along the row, five for the gradient of the sum, and two for that of the gain.
    fn work(params: &NormChainGradientsParams, dtype: DType) -> Work {
        let [rows, width] = [params.rows, params.width].map(|size| size as f64);
        Work { flops: 21.0 * rows * width, bytes: (MOVED * rows * width + 2.0 * width) * dtype.bytes() as f64 }
    }

    fn tolerance(params: &NormChainGradientsParams, dtype: DType) -> f64 {
        tolerance_of_sum(dtype, params.rows)
    }

    fn metrics(params: &NormChainGradientsParams, _inputs: &Inputs) -> Vec<Metric> {
        vec![Metric::modelled("exponentials", (params.rows * params.width) as f64, "count")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_slopes_of_the_chain() {
        let (sum, gate) = ([0.5_f32, -1.25, 2.0], [0.75_f32, -0.5, 1.5]);
        let (past, grad, gain) = ([0.0_f32; 3], [1.0_f32, -2.0, 0.5], [1.0_f32, 1.5, 0.5]);
        // What the gradient of the result goes along, of numbers that are changed a little.
        let result = |sum: [f64; 3], gate: [f64; 3], gain: [f64; 3]| -> f64 {
            let square = sum.iter().map(|x| x * x).sum::<f64>() / 3.0;
            let scale = 1.0 / (square + EPSILON).sqrt();
            (0..3)
                .map(|at| f64::from(grad[at]) * sum[at] * scale * gain[at] * gate[at] / (1.0 + (-gate[at]).exp()))
                .sum()
        };
        let wide = |numbers: [f32; 3]| numbers.map(f64::from);
        let found = row_of([&sum, &gate, &past, &grad], &gain);
        let step = 1e-5;
        for at in 0..3 {
            let moved = |numbers: [f32; 3], by: f64| {
                let mut numbers = wide(numbers);
                numbers[at] += by;
                numbers
            };
            let slope = |of: &dyn Fn(f64) -> f64| (of(step) - of(-step)) / (2.0 * step);
            let slopes = [
                slope(&|by| result(moved(sum, by), wide(gate), wide(gain))),
                slope(&|by| result(wide(sum), moved(gate, by), wide(gain))),
                slope(&|by| result(wide(sum), wide(gate), moved(gain, by))),
            ];
            for (found, slope) in found.iter().zip(slopes) {
                // The third derivative times a sixth of the square of the step, and rounding over it.
                assert!((found[at] - slope).abs() < 1e-8, "{at}: {} and {slope}", found[at]);
            }
        }
        let pushed = row_of([&sum, &gate, &[3.0, 3.0, 3.0], &grad], &gain);
        assert!(pushed[0].iter().zip(&found[0]).all(|(pushed, found)| (pushed - found - 3.0).abs() < 1e-12));
    }
}
