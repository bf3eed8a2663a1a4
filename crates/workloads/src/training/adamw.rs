//! Steps of AdamW over a matrix of parameters.

use benchbook_core::{
    Answer, Check, DType, Inputs, Params, Preset, Problem, Reference, StepsOf, Task, Value, Work, sample_rows,
};
use rayon::prelude::*;

use crate::draw::{check_numbers, normal};

/// Steps of AdamW (Loshchilov & Hutter, arXiv 1711.05101, algorithm 2, whose schedule is 1), as PyTorch has it: decay is decoupled,
/// means are freed of their bias, and ε stands outside of the root. Each step takes the same gradient, and writes parameters and
/// moments in place; before the first one, `before` others have been made.
///
/// Inputs: `parameter`, `gradient` and `first` `[rows, width]`, and `root` `[rows, width]`, whose squares are the second moments.
/// Outputs: `parameter`, `first` and `second`, of the same shape.
pub struct AdamW;

/// Learning rate.
pub const RATE: f64 = 1e-3;
/// Shares of the moments that stay.
pub const BETAS: [f64; 2] = [0.9, 0.999];
/// What is added to the root of the second moment.
pub const EPSILON: f64 = 1e-8;
/// Share of the parameters that goes with each step, times the learning rate.
pub const DECAY: f64 = 1e-2;

/// Numbers of an answer that are kept at most.
const KEPT: usize = 1 << 20;

/// Names of the outputs, in their order.
const OUTPUTS: [&str; 3] = ["parameter", "first", "second"];

/// Numbers that a step reads and writes for each parameter: four are read, and three are written.
const MOVED: f64 = 7.0;

/// Operations of a step for each parameter: one for the decay, three and four for the moments, a root, two for what stands below, and
/// three for the step itself.
const OPERATIONS: f64 = 14.0;

benchbook_core::parameters! {
    /// Parameters of [`AdamW`].
    pub struct AdamWParams {
        /// rows of the parameters
        rows: usize = 1024, 1..=1 << 20;
        /// numbers of a row
        width: usize = 1024, 1..=1 << 17;
        /// steps of a loop
        steps: usize = 4, 1..=1 << 10;
        /// steps that have been made before
        before: usize = 100, 0..=1 << 20;
    }
}

impl AdamW {
    /// The loop of a case.
    pub fn steps(params: &AdamWParams) -> StepsOf {
        StepsOf { most: params.steps, tokens: None, values: Vec::new() }
    }

    /// Rows that are looked at.
    pub fn kept(params: &AdamWParams, seed: u64) -> Vec<usize> {
        sample_rows(params.rows, (KEPT / params.width).max(16), seed)
    }
}

/// A parameter and its moments after step `step`, which counts from 1, of what they were with a gradient.
pub(super) fn updated(step: usize, rate: f64, [parameter, gradient, first, second]: [f64; 4]) -> [f64; 3] {
    let first = BETAS[0] * first + (1.0 - BETAS[0]) * gradient;
    let second = BETAS[1] * second + (1.0 - BETAS[1]) * gradient * gradient;
    let [by_first, by_second] = BETAS.map(|beta| 1.0 - beta.powf(step as f64));
    let below = (second / by_second).sqrt() + EPSILON;
    [parameter * (1.0 - rate * DECAY) - rate * first / by_first / below, first, second]
}

impl Problem for AdamW {
    const NAME: &'static str = "adamw";
    const ABOUT: &'static str = "steps of the optimizer AdamW, in place";
    type Params = AdamWParams;

    fn presets() -> Vec<Preset> {
        let of = |rows: i64| Params::default().with("rows", Value::Int(rows));
        vec![
            Preset { name: "quick", cases: vec![of(256), of(4096)] },
            // The last has as many parameters as GPT-2 124M.
            Preset { name: "default", cases: vec![of(1024), of(16_384), of(121_523)] },
        ]
    }

    fn ugly() -> Vec<AdamWParams> {
        let of = |(rows, width, steps, before)| AdamWParams { rows, width, steps, before };
        [(1, 1, 1, 0), (3, 17, 2, 0), (5, 33, 3, 7), (2, 1031, 1, 1000), (1, 4099, 2, 1)].map(of).into()
    }

    fn check(params: &AdamWParams) -> Result<(), (&'static str, String)> {
        check_numbers("rows", &[params.rows, params.width])
    }

    fn label(params: &AdamWParams) -> String {
        let AdamWParams { rows, width, steps, before } = *params;
        format!("{rows}×{width} steps {before}+{steps}")
    }

    fn task(params: &AdamWParams) -> Task {
        Task::Steps(Self::steps(params))
    }

    fn inputs(params: &AdamWParams, seed: u64) -> Inputs {
        let of = |by: [f32; 2], stream: u64| normal(vec![params.rows, params.width], by, seed, stream);
        // A step is about as large as the parameters, so that a wrong one shows; no second moment is near zero, where a step of another
        // size than all others would hide them.
        Inputs::from([
            ("parameter", of([0.0, 0.002], 1)),
            ("gradient", of([0.0, 0.01], 2)),
            ("first", of([0.0, 0.01], 3)),
            ("root", of([0.02, 0.003], 4)),
        ])
    }

    fn reference(params: &AdamWParams, inputs: &Inputs, seed: u64) -> Reference {
        let AdamWParams { rows, width, steps, before } = *params;
        let kept = Self::kept(params, seed);
        let given = ["parameter", "gradient", "first", "root"].map(|name| inputs.numbers(name));
        let one = |place: usize| {
            let [parameter, gradient, first, root] = given.map(|numbers| f64::from(numbers[place]));
            (1..=steps).fold([parameter, first, root * root], |[parameter, first, second], step| {
                updated(before + step, RATE, [parameter, gradient, first, second])
            })
        };
        let found: Vec<[f64; 3]> =
            kept.par_iter().flat_map_iter(|row| (row * width..(row + 1) * width).map(one)).collect();
        let answer = |(which, name): (usize, &'static str)| Answer {
            name: name.into(),
            shape: vec![rows, width],
            rows: kept.clone(),
            values: found.iter().map(|numbers| numbers[which]).collect(),
            check: Check::Near,
        };
        Reference { answers: OUTPUTS.into_iter().enumerate().map(answer).collect() }
    }

    fn work(params: &AdamWParams, dtype: DType) -> Work {
        let numbers = (params.rows * params.width * params.steps) as f64;
        Work { flops: OPERATIONS * numbers, bytes: MOVED * numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &AdamWParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use benchbook_core::Array;

    use super::*;

    #[test]
    fn steps_by_hand() {
        // Of no moments, the first step goes by the sign of the gradient alone, but for ε and the decay.
        let [parameter, first, second] = updated(1, RATE, [0.5, -0.25, 0.0, 0.0]);
        assert!((parameter - (0.5 * (1.0 - 1e-5) + 1e-3)).abs() < 1e-9, "{parameter}");
        assert!((first + 0.025).abs() < 1e-15 && (second - 6.25e-5).abs() < 1e-15, "{first} {second}");
        // After very many, nothing is left of the bias: 0.9 · 0.1 + 0.1 · 1 below the root of 0.999 · 4 + 0.001.
        let [parameter, ..] = updated(1 << 20, RATE, [0.0, 1.0, 0.1, 4.0]);
        assert!((parameter + 1e-3 * 0.19 / 3.997_f64.sqrt()).abs() < 1e-10, "{parameter}");
    }

    #[test]
    fn second_moments_are_squares_and_steps_go_on() {
        let params = AdamWParams { rows: 1, width: 2, steps: 2, before: 3 };
        let mut inputs = AdamW::inputs(&params, 5);
        inputs.insert("root", Array::new(vec![1, 2], &[-0.5_f32, 0.5]));
        let both = AdamW::reference(&params, &inputs, 5);
        let given = ["parameter", "gradient", "first"].map(|name| f64::from(inputs.numbers(name)[0]));
        let one = updated(4, RATE, [given[0], given[1], given[2], 0.25]);
        let two = updated(5, RATE, [one[0], given[1], one[1], one[2]]);
        let found: Vec<f64> = both.answers.iter().map(|answer| answer.values[0]).collect();
        assert_eq!(found, two);
    }
}
