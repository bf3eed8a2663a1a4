//! A linear layer with an adapter of low rank, forward and back.

use benchbook_core::{
    Answer, Array, Check, DType, Inputs, Params, Preset, Problem, Reference, Value, Work, sample_rows,
};
use rayon::prelude::*;

use crate::draw::{normal, weights};
use crate::rows::{BUDGET, add_product, times};

/// What a step of fine-tuning computes of a linear layer whose weights stay as they are, beside which an adapter of low rank learns (Hu
/// et al., *LoRA*, arXiv 2106.09685, section 4.1): y = x·W + s·x·A·B, and of the gradient of y those of x, A and B. Nothing is dropped
/// out; what an optimizer does with so few numbers is `adamw`.
///
/// Inputs: `input` `[rows, inner]`, standard normal; `weight` `[inner, outer]` and `first` (A) `[inner, rank]`, with variance 1 / inner;
/// `second` (B) `[rank, outer]`, which is not zero, as it is where training begins, or half of the gradients would be; `grad`
/// `[rows, outer]`. Outputs: `output` `[rows, outer]`, `input_grad` `[rows, inner]`, `first_grad` `[inner, rank]`, `second_grad`
/// `[rank, outer]`.
pub struct LoraStep;

benchbook_core::parameters! {
    /// Parameters of [`LoraStep`].
    pub struct LoraStepParams {
        /// positions
        rows: usize = 512, 1..=1 << 16;
        /// numbers of a position before
        inner: usize = 768, 1..=1 << 16;
        /// numbers of a position after
        outer: usize = 768, 1..=1 << 16;
        /// rank of the adapter
        rank: usize = 16, 1..=1 << 10;
        /// by how much what the adapter gives is scaled (α over the rank)
        scale: f64 = 2.0, 0.0..1e3;
    }
}

/// Deviation of the second factor.
const SECOND: f32 = 0.05;

impl Problem for LoraStep {
    const NAME: &'static str = "lora-step";
    const ABOUT: &'static str = "a linear layer with an adapter of low rank, forward and back";
    type Params = LoraStepParams;

    fn presets() -> Vec<Preset> {
        let of = |sizes: [i64; 4]| {
            let names = ["rows", "inner", "outer", "rank"];
            names.into_iter().zip(sizes).fold(Params::default(), |all, (name, size)| all.with(name, Value::Int(size)))
        };
        vec![
            Preset { name: "quick", cases: vec![of([128, 256, 256, 8])] },
            Preset { name: "default", cases: vec![of([512, 768, 768, 16]), of([512, 2048, 2048, 16])] },
        ]
    }

    fn ugly() -> Vec<LoraStepParams> {
        let of = |[rows, inner, outer, rank]: [usize; 4]| LoraStepParams { rows, inner, outer, rank, scale: 2.0 };
        [[1, 1, 1, 1], [3, 17, 33, 2], [67, 130, 5, 3], [5, 67, 129, 20]].map(of).into()
    }

    fn check(params: &LoraStepParams) -> Result<(), (&'static str, String)> {
        let LoraStepParams { rows, inner, outer, .. } = *params;
        crate::draw::check_numbers("rows", &[rows, inner.max(outer)])?;
        crate::draw::check_numbers("inner", &[inner, outer])
    }

    fn label(params: &LoraStepParams) -> String {
        let LoraStepParams { rows, inner, outer, rank, scale } = *params;
        let scale = if scale == 2.0 { String::new() } else { format!(" scale {scale}") };
        format!("{rows}×{inner}→{outer} rank {rank}{scale}")
    }

    fn inputs(params: &LoraStepParams, seed: u64) -> Inputs {
        let LoraStepParams { rows, inner, outer, rank, .. } = *params;
        Inputs::from([
            ("input", Array::normal(vec![rows, inner], seed, 1)),
            ("weight", weights([inner, outer], seed, 2)),
            ("first", weights([inner, rank], seed, 3)),
            ("second", normal(vec![rank, outer], [0.0, SECOND], seed, 4)),
            ("grad", Array::normal(vec![rows, outer], seed, 5)),
        ])
    }

    fn reference(params: &LoraStepParams, inputs: &Inputs, seed: u64) -> Reference {
        let LoraStepParams { rows, inner, outer, rank, scale } = *params;
        let [input, weight, first, second, grad] =
            ["input", "weight", "first", "second", "grad"].map(|name| inputs.numbers(name));
        let row = |numbers: &[f32], at: usize, width: usize| -> Vec<f64> {
            numbers[at * width..][..width].iter().map(|number| f64::from(*number)).collect()
        };
        let dot = |numbers: &[f64], others: &[f32]| -> f64 {
            numbers.iter().zip(others).map(|(number, other)| number * f64::from(*other)).sum()
        };
        // Of each position what lies between the factors, forward and back.
        let low = |at: usize| times(row(input, at, inner).into_iter(), first, rank);
        let back = |at: usize| -> Vec<f64> {
            let grad = row(grad, at, outer);
            second.chunks_exact(outer).map(|second| scale * dot(&grad, second)).collect()
        };
        let [low, back]: [Vec<Vec<f64>>; 2] =
            [(0..rows).into_par_iter().map(low).collect(), (0..rows).into_par_iter().map(back).collect()];
        let kept = sample_rows(rows, (BUDGET / (inner * outer)).max(16), seed);
        let output = |at: &usize| {
            let mut sums = times(row(input, *at, inner).into_iter(), weight, outer);
            add_product(&mut sums, low[*at].iter().map(|number| scale * number), second);
            sums
        };
        let input_grad = |at: &usize| -> Vec<f64> {
            let grad = row(grad, *at, outer);
            let of = |(weight, first): (&[f32], &[f32])| dot(&grad, weight) + dot(&back[*at], first);
            weight.chunks_exact(outer).zip(first.chunks_exact(rank)).map(of).collect()
        };
        // Over all positions.
        let first_grad = |place: usize| -> Vec<f64> {
            let mut sums = vec![0.0; rank];
            for (at, back) in back.iter().enumerate() {
                let x = f64::from(input[at * inner + place]);
                sums.iter_mut().zip(back).for_each(|(sum, back)| *sum += x * back);
            }
            sums
        };
        let second_grad = |place: usize| {
            let mut sums = vec![0.0; outer];
            for (at, low) in low.iter().enumerate() {
                let factor = scale * low[place];
                sums.iter_mut().zip(&grad[at * outer..]).for_each(|(sum, grad)| *sum += factor * f64::from(*grad));
            }
            sums
        };
        let answer = |name: &'static str, shape: [usize; 2], rows: Vec<usize>, values: Vec<f64>| Answer {
            name: name.into(),
            shape: shape.into(),
            rows,
            values,
            check: Check::Near,
        };
        Reference {
            answers: vec![
                answer("output", [rows, outer], kept.clone(), kept.par_iter().flat_map_iter(output).collect()),
                answer("input_grad", [rows, inner], kept.clone(), kept.par_iter().flat_map_iter(input_grad).collect()),
                answer(
                    "first_grad",
                    [inner, rank],
                    (0..inner).collect(),
                    (0..inner).into_par_iter().flat_map_iter(first_grad).collect(),
                ),
                answer(
                    "second_grad",
                    [rank, outer],
                    (0..rank).collect(),
                    (0..rank).into_par_iter().flat_map_iter(second_grad).collect(),
                ),
            ],
        }
    }

    /// Two products by the weights, and three by each factor of the adapter.
    fn work(params: &LoraStepParams, dtype: DType) -> Work {
        let [rows, inner, outer, rank] = [params.rows, params.inner, params.outer, params.rank].map(|size| size as f64);
        let flops = 2.0 * rows * (2.0 * inner * outer + 3.0 * rank * (inner + outer));
        let numbers = 2.0 * rows * (inner + outer) + inner * outer + 2.0 * rank * (inner + outer);
        Work { flops, bytes: numbers * dtype.bytes() as f64 }
    }

    fn tolerance(_params: &LoraStepParams, dtype: DType) -> f64 {
        crate::tolerance(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of the squared length of an output and a gradient that is that output: the slopes are those that are told.
    #[test]
    fn gradients_are_the_slopes_of_what_is_given() {
        let params = LoraStepParams { rows: 3, inner: 4, outer: 5, rank: 2, scale: 1.5 };
        let mut inputs = LoraStep::inputs(&params, 6);
        let output = |inputs: &Inputs| LoraStep::reference(&params, inputs, 6).answers.swap_remove(0).values;
        let grad: Vec<f32> = output(&inputs).iter().map(|number| *number as f32).collect();
        inputs.insert("grad", Array::new(vec![3, 5], &grad));
        let answers = LoraStep::reference(&params, &inputs, 6).answers;
        let half = |inputs: &Inputs| -> f64 { output(inputs).iter().map(|number| number * number / 2.0).sum() };
        for (name, answer) in ["input", "first", "second"].into_iter().zip(&answers[1..]) {
            for (place, slope) in answer.values.iter().enumerate() {
                let moved = |by: f32| {
                    let mut inputs = inputs.clone();
                    let mut array = inputs.get(name).clone();
                    array.of_mut::<f32>()[place] += by;
                    let moved = f64::from(array.of::<f32>()[place]);
                    inputs.insert(name, array);
                    (half(&inputs), moved)
                };
                // A polynomial of the second degree in each number, whose slope a difference gives exactly; what is given as the gradient is
                // rounded to `f32`.
                let ((above, high), (below, low)) = (moved(0.5), moved(-0.5));
                let found = (above - below) / (high - low);
                assert!((found - slope).abs() < 1e-5 * (1.0 + slope.abs()), "{name} {place}: {slope} for {found}");
            }
        }
    }
}
