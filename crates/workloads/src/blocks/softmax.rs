//! Softmax of rows.

use benchbook_core::{DType, Inputs, Metric, Preset, Problem, Reference, Work};

use super::norm::{UGLY, label, presets};
use crate::draw::normal;
use crate::rows::by_rows;
use crate::tolerance::tolerance_of_sum;

/// Softmax over the last axis (Bridle, *Probabilistic interpretation of feedforward classification network outputs*, 1990).
///
/// Input: `input` `[rows, width]`, whole numbers, which every dtype holds. They are exponents of `f32` only after the row's largest
/// is taken off.
pub struct Softmax;

/// Deviation and mean of the numbers: e¹⁰⁰ is no `f32`.
const DEVIATION: f32 = 3.0;
const MEAN: f32 = 100.0;

benchbook_core::parameters! {
    /// Parameters of [`Softmax`].
    pub struct SoftmaxParams {
        /// rows
        rows: usize = 512, 1..=1 << 20;
        /// numbers of a row
        width: usize = 1024, 1..=1 << 17;
    }
}

impl Problem for Softmax {
    const NAME: &'static str = "softmax";
    const ABOUT: &'static str = "softmax over the last axis";
    type Params = SoftmaxParams;

    fn presets() -> Vec<Preset> {
        presets(1024)
    }

    fn ugly() -> Vec<SoftmaxParams> {
        UGLY.map(|[rows, width]| SoftmaxParams { rows, width }).into()
    }

    fn label(params: &SoftmaxParams) -> String {
        label(params.rows, params.width)
    }

    fn inputs(params: &SoftmaxParams, seed: u64) -> Inputs {
        let mut input = normal(vec![params.rows, params.width], [MEAN, DEVIATION], seed, 1);
        input.of_mut::<f32>().iter_mut().for_each(|number| *number = number.round());
        Inputs::from([("input", input)])
    }

    fn reference(params: &SoftmaxParams, inputs: &Inputs, seed: u64) -> Reference {
        let SoftmaxParams { rows, width } = *params;
        let input = inputs.numbers("input");
        by_rows(vec![rows, width], width, seed, |row| {
            let x = &input[row * width..][..width];
            let most = x.iter().fold(f64::NEG_INFINITY, |most, x| most.max(f64::from(*x)));
            let exponents: Vec<f64> = x.iter().map(|x| (f64::from(*x) - most).exp()).collect();
            let sum: f64 = exponents.iter().sum();
            exponents.into_iter().map(|one| one / sum).collect()
        })
    }

    /// For each number one operation for the largest, one to take it off, one exponent, one for the sum, one to divide.
    fn work(params: &SoftmaxParams, dtype: DType) -> Work {
        let numbers = params.rows as f64 * params.width as f64;
        Work { flops: 5.0 * numbers, bytes: 2.0 * numbers * dtype.bytes() as f64 }
    }

    fn tolerance(params: &SoftmaxParams, dtype: DType) -> f64 {
        tolerance_of_sum(dtype, params.width)
    }

    /// One for each number: where a cache holds all of them, this may take longer than to read and write them.
    fn metrics(params: &SoftmaxParams, _inputs: &Inputs) -> Vec<Metric> {
        vec![Metric::modelled("exponentials", (params.rows * params.width) as f64, "count")]
    }
}
