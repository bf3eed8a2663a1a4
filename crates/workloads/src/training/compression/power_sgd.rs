//! A gradient as two factors of low rank.

use benchbook_core::{Answer, Array, Check, DType, Inputs, Metric, Preset, Problem, Reference, Work, sample_rows};
use rayon::prelude::*;

use super::{KEPT, compressed, ending, inputs, left, metrics, moved, presets};
use crate::draw::check_numbers;
use crate::singular::orthonormal;
use crate::tolerance::tolerance_of_sum;

/// PowerSGD of one worker (Vogels et al., arXiv 1905.13727, algorithm 1): one step of the power method from the second factor of the last
/// compression. The first factor is the gradient times that, with its columns made orthonormal one after another; the second is the
/// gradient's transpose times the first. With feedback, what was left before is added first, rounded to `f32`, and what the product of
/// the factors lacks is left.
///
/// Inputs: `gradient` `[rows, width]`, `start` `[width, rank]`, with feedback `residual` `[rows, width]`. Outputs: `first`
/// `[rows, rank]`, `second` `[width, rank]`, with feedback `residual` `[rows, width]`.
pub struct PowerSgd;

benchbook_core::parameters! {
    /// Parameters of [`PowerSgd`].
    pub struct PowerSgdParams {
        /// rows of the gradient
        rows: usize = 1024, 1..=1 << 20;
        /// numbers of a row
        width: usize = 1024, 1..=1 << 17;
        /// columns of the factors
        rank: usize = 4, 1..=256;
        /// whether what the factors lack is added to the next gradient
        feedback: bool = true;
    }
}

/// Columns as rows `[_, rank]`.
fn by_rows(columns: &[Vec<f64>]) -> Vec<f64> {
    (0..columns[0].len()).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

impl Problem for PowerSgd {
    const NAME: &'static str = "power-sgd";
    const ABOUT: &'static str = "a gradient as two factors of low rank, with and without error feedback";
    type Params = PowerSgdParams;

    fn presets() -> Vec<Preset> {
        presets()
    }

    fn ugly() -> Vec<PowerSgdParams> {
        let of = |(rows, width, rank, feedback)| PowerSgdParams { rows, width, rank, feedback };
        [(1, 1, 1, false), (3, 17, 1, true), (67, 33, 2, false), (40, 1100, 4, true), (300, 70, 5, true)].map(of).into()
    }

    fn check(params: &PowerSgdParams) -> Result<(), (&'static str, String)> {
        let PowerSgdParams { rows, width, rank, .. } = *params;
        if rank > rows.min(width) {
            let most = rows.min(width);
            return Err(("rank", format!("a matrix of {rows} × {width} has no rank {rank}, give {most} at most")));
        }
        check_numbers("rows", &[rows, width])
    }

    fn label(params: &PowerSgdParams) -> String {
        let PowerSgdParams { rows, width, rank, feedback } = *params;
        format!("{rows}×{width} rank {rank}{}", ending(feedback))
    }

    fn inputs(params: &PowerSgdParams, seed: u64) -> Inputs {
        let PowerSgdParams { rows, width, rank, feedback } = *params;
        let mut inputs = inputs([rows, width], feedback, seed);
        inputs.insert("start", Array::normal(vec![width, rank], seed, 3));
        inputs
    }

    fn reference(params: &PowerSgdParams, given: &Inputs, seed: u64) -> Reference {
        let PowerSgdParams { rows, width, rank, feedback } = *params;
        let (matrix, start) = (compressed(given, feedback), given.numbers("start"));
        let column = |rank_of: usize| -> Vec<f64> {
            let dot = |row: &[f32]| -> f64 {
                let factors = start.iter().skip(rank_of).step_by(rank);
                row.iter().zip(factors).map(|(number, factor)| f64::from(*number) * f64::from(*factor)).sum()
            };
            matrix.par_chunks_exact(width).map(dot).collect()
        };
        let first = orthonormal((0..rank).map(column).collect(), 1);
        let other = |first: &Vec<f64>| -> Vec<f64> {
            let mut sums = vec![0.0; width];
            for (row, factor) in matrix.chunks_exact(width).zip(first) {
                sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += factor * f64::from(*number));
            }
            sums
        };
        let second: Vec<Vec<f64>> = first.par_iter().map(other).collect();
        let answer = |name: &'static str, columns: &[Vec<f64>]| Answer {
            name: name.into(),
            shape: vec![columns[0].len(), rank],
            rows: (0..columns[0].len()).collect(),
            values: by_rows(columns),
            check: Check::Near,
        };
        let mut answers = vec![answer("first", &first), answer("second", &second)];
        if feedback {
            let kept = sample_rows(rows, (KEPT / width).max(16), seed);
            let number = |row: usize, at: usize| -> f64 {
                let product: f64 = first.iter().zip(&second).map(|(first, second)| first[row] * second[at]).sum();
                f64::from(matrix[row * width + at]) - product
            };
            let values = kept.par_iter().flat_map_iter(|row| (0..width).map(|at| number(*row, at))).collect();
            answers.push(left([rows, width], kept, values, Check::Near));
        }
        Reference { answers }
    }

    /// A product for each factor, and with feedback one more.
    fn work(params: &PowerSgdParams, dtype: DType) -> Work {
        let PowerSgdParams { rows, width, rank, feedback } = *params;
        let numbers = (rows * width) as f64;
        let products = numbers * rank as f64 * if feedback { 6.0 } else { 4.0 };
        let factors = ((rows + 2 * width) * rank * dtype.bytes()) as f64;
        Work { flops: products, bytes: moved(rows * width, feedback, dtype.bytes()) + factors }
    }

    /// Sums over rows and over columns, and columns that are made orthonormal between them.
    fn tolerance(params: &PowerSgdParams, dtype: DType) -> f64 {
        2.0 * tolerance_of_sum(dtype, params.rows.max(params.width))
    }

    fn metrics(params: &PowerSgdParams, _inputs: &Inputs) -> Vec<Metric> {
        let PowerSgdParams { rows, width, rank, .. } = *params;
        metrics(rows * width, (rows + width) * rank * size_of::<f32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_of_rank_one_is_its_factors() {
        let params = PowerSgdParams { rows: 2, width: 3, rank: 1, feedback: true };
        let mut inputs = PowerSgd::inputs(&params, 1);
        // The product of (3, 4) and (1, 2, 2).
        inputs.insert("gradient", Array::new(vec![2, 3], &[3.0_f32, 6.0, 6.0, 4.0, 8.0, 8.0]));
        inputs.insert("residual", Array::new(vec![2, 3], &[0.0_f32; 6]));
        inputs.insert("start", Array::new(vec![3, 1], &[1.0_f32, 0.0, 0.0]));
        let answers = PowerSgd::reference(&params, &inputs, 1).answers;
        let near = |found: &[f64], right: &[f64]| found.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(&answers[0].values, &[0.6, 0.8]), "{:?}", answers[0].values);
        assert!(near(&answers[1].values, &[5.0, 10.0, 10.0]), "{:?}", answers[1].values);
        assert!(near(&answers[2].values, &[0.0; 6]), "{:?}", answers[2].values);
    }

    #[test]
    fn columns_become_orthonormal() {
        let columns = orthonormal(vec![vec![1.0, 2.0, 2.0], vec![1.0, 0.0, 5.0]], 1);
        let dot = |a: usize, b: usize| -> f64 { columns[a].iter().zip(&columns[b]).map(|(x, y)| x * y).sum() };
        assert!((dot(0, 0) - 1.0).abs() < 1e-15 && (dot(1, 1) - 1.0).abs() < 1e-15 && dot(0, 1).abs() < 1e-15);
    }
}
