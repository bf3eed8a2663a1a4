//! The largest singular values of a matrix, with their vectors.

use benchbook_core::{Answer, Array, Check, DType, Inputs, Params, Preset, Problem, Reference, Work};
use rayon::prelude::*;

use crate::draw::{check_numbers, normal};
use crate::tolerance::tolerance_of_sum;

/// The randomised singular value decomposition (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithms 4.4 and 5.1): the range of
/// (A Aᵀ)^passes A start, and the decomposition of what the matrix A is within that range.
///
/// The start is given, so that the range, the values, and what the approximation makes of a few columns are the same numbers for whoever
/// iterates as often: all have one error. The vectors have no signs of their own, so that they are held to what they make of `probe`.
/// The matrix is one of the rank that is asked for, with noise of a hundredth of its variance.
///
/// Inputs: `matrix` `[rows, width]`, `start` `[width, rank]`, `probe` `[width, 8]`. Outputs: `values` `[1, rank]`, falling, and
/// `applied` `[rows, 8]`, the approximation times the probe.
pub struct RandomisedSvd;

/// Columns of the probe.
pub const PROBES: usize = 8;

/// The deviation of the noise, where that of the rest is 1.
const NOISE: f32 = 0.1;

benchbook_core::parameters! {
    /// Parameters of [`RandomisedSvd`].
    pub struct RandomisedSvdParams {
        /// rows of the matrix
        rows: usize = 1024, 1..=1 << 17;
        /// numbers of a row
        width: usize = 1024, 1..=1 << 17;
        /// singular values to find
        rank: usize = 32, 1..=512;
        /// how often the range is taken through the matrix and back
        passes: usize = 2, 0..=16;
    }
}

impl Problem for RandomisedSvd {
    const NAME: &'static str = "randomised-svd";
    const ABOUT: &'static str = "the largest singular values of a matrix with their vectors, from a given start";
    type Params = RandomisedSvdParams;

    fn presets() -> Vec<Preset> {
        let of = |[size, rank]: [i64; 2]| {
            Params::default().with("rows", size.into()).with("width", size.into()).with("rank", rank.into())
        };
        vec![
            Preset { name: "quick", cases: vec![of([256, 16])] },
            Preset { name: "default", cases: [[1024, 32], [4096, 64]].map(of).into() },
        ]
    }

    fn ugly() -> Vec<RandomisedSvdParams> {
        let of = |[rows, width, rank, passes]: [usize; 4]| RandomisedSvdParams { rows, width, rank, passes };
        vec![
            of([1, 1, 1, 0]),
            of([17, 3, 1, 2]),
            of([3, 17, 1, 1]),
            // Of full rank, nothing is lost.
            of([33, 4, 4, 1]),
            of([67, 33, 5, 2]),
            of([130, 257, 17, 3]),
            of([300, 40, 3, 1]),
        ]
    }

    fn check(params: &RandomisedSvdParams) -> Result<(), (&'static str, String)> {
        let RandomisedSvdParams { rows, width, rank, .. } = *params;
        if rank > rows.min(width) {
            let most = rows.min(width);
            return Err(("rank", format!("a matrix of {rows} × {width} has no rank {rank}, give {most} at most")));
        }
        check_numbers("rows", &[rows, width])
    }

    fn label(params: &RandomisedSvdParams) -> String {
        let RandomisedSvdParams { rows, width, rank, passes } = *params;
        format!("{rows}×{width} rank {rank} after {passes}")
    }

    fn inputs(params: &RandomisedSvdParams, seed: u64) -> Inputs {
        let RandomisedSvdParams { rows, width, rank, .. } = *params;
        let mut matrix = normal(vec![rows, width], [0.0, NOISE], seed, 1);
        let one = normal(vec![rows, rank], [0.0, (rank as f32).sqrt().recip()], seed, 2);
        let other = Array::normal(vec![rank, width], seed, 3);
        let (one, other) = (one.of::<f32>(), other.of::<f32>());
        let rows_of = matrix.of_mut::<f32>().par_chunks_exact_mut(width).zip(one.par_chunks_exact(rank));
        rows_of.for_each(|(row, shares)| {
            for (share, direction) in shares.iter().zip(other.chunks_exact(width)) {
                row.iter_mut().zip(direction).for_each(|(number, other)| *number += share * other);
            }
        });
        Inputs::from([
            ("matrix", matrix),
            ("start", Array::normal(vec![width, rank], seed, 4)),
            ("probe", Array::normal(vec![width, PROBES], seed, 5)),
        ])
    }

    fn reference(params: &RandomisedSvdParams, given: &Inputs, _seed: u64) -> Reference {
        let RandomisedSvdParams { rows, width, rank, passes } = *params;
        let [matrix, start, probe] = ["matrix", "start", "probe"].map(|name| given.numbers(name));
        // Vectors of the length of a row give those of the length of a column, and the other way round.
        let forward = |domain: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let one = |vector: &Vec<f64>| -> Vec<f64> {
                let product =
                    |row: &[f32]| -> f64 { row.iter().zip(vector).map(|(one, other)| f64::from(*one) * other).sum() };
                matrix.chunks_exact(width).map(product).collect()
            };
            domain.par_iter().map(one).collect()
        };
        let back = |range: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let one = |vector: &Vec<f64>| -> Vec<f64> {
                let mut sums = vec![0.0; width];
                for (row, share) in matrix.chunks_exact(width).zip(vector) {
                    sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += share * f64::from(*number));
                }
                sums
            };
            range.par_iter().map(one).collect()
        };
        let drawn =
            |at: usize| -> Vec<f64> { start.iter().skip(at).step_by(rank).map(|number| f64::from(*number)).collect() };
        let drawn: Vec<Vec<f64>> = (0..rank).map(drawn).collect();
        let mut range = orthonormal(forward(&drawn), 2);
        for _ in 0..passes {
            range = orthonormal(forward(&orthonormal(back(&range), 2)), 2);
        }
        let rest = back(&range);
        let probed = |vector: &Vec<f64>| -> Vec<f64> {
            let mut sums = vec![0.0; PROBES];
            for (share, probe) in vector.iter().zip(probe.chunks_exact(PROBES)) {
                sums.iter_mut().zip(probe).for_each(|(sum, number)| *sum += share * f64::from(*number));
            }
            sums
        };
        let probed: Vec<Vec<f64>> = rest.iter().map(probed).collect();
        let number = |row: usize, probe: usize| -> f64 {
            range.iter().zip(&probed).map(|(vector, probed)| vector[row] * probed[probe]).sum()
        };
        let applied = (0..rows).flat_map(|row| (0..PROBES).map(move |probe| [row, probe]));
        let answer = |name: &'static str, shape: [usize; 2], values: Vec<f64>| Answer {
            name: name.into(),
            shape: shape.into(),
            rows: (0..shape[0]).collect(),
            values,
            check: Check::Near,
        };
        let applied: Vec<f64> = applied.map(|[row, probe]| number(row, probe)).collect();
        Reference {
            answers: vec![
                answer("values", [1, rank], singular_values(rest)),
                answer("applied", [rows, PROBES], applied),
            ],
        }
    }

    /// Two products for each iteration, and two more.
    fn work(params: &RandomisedSvdParams, dtype: DType) -> Work {
        let RandomisedSvdParams { rows, width, rank, passes } = *params;
        let numbers = (rows * width) as f64;
        let products = 2.0 * numbers * rank as f64 * (2 * passes + 2) as f64;
        let vectors = ((rows + 2 * width) * rank + (rows + width) * PROBES + rank) as f64;
        Work { flops: products, bytes: (numbers + vectors) * dtype.bytes() as f64 }
    }

    /// Products after one another, and vectors that are made orthonormal between them.
    fn tolerance(params: &RandomisedSvdParams, dtype: DType) -> f64 {
        4.0 * tolerance_of_sum(dtype, params.rows.max(params.width))
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// Vectors of length one, each without a share of those before it, by Gram and Schmidt so many times.
pub fn orthonormal(mut vectors: Vec<Vec<f64>>, times: usize) -> Vec<Vec<f64>> {
    for at in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(at);
        let vector = &mut rest[0];
        for _ in 0..times {
            for other in &*before {
                let shared = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(one, other)| *one -= shared * other);
            }
        }
        let length = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|one| *one /= length);
    }
    vectors
}

/// Turns of every two vectors at most: their angles shrink faster and faster.
const SWEEPS: usize = 30;

/// The singular values of a matrix by its rows, falling: every two rows are turned until they are orthogonal (Hestenes, Inversion of
/// matrices by biorthogonalization, 1958), and their lengths are the values.
fn singular_values(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    // As rounding leaves it of sums of thousands.
    let least = 16.0 * f64::EPSILON * rows.iter().map(|row| dot(row, row)).sum::<f64>();
    for _ in 0..SWEEPS {
        let mut is_done = true;
        for second in 1..rows.len() {
            let (before, rest) = rows.split_at_mut(second);
            let other = &mut rest[0];
            for one in before {
                let (shared, [first_square, second_square]) = (dot(one, other), [dot(one, one), dot(other, other)]);
                if shared.abs() <= least {
                    continue;
                }
                is_done = false;
                let slope = (second_square - first_square) / (2.0 * shared);
                let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
                let cosine = tangent.hypot(1.0).recip();
                let sine = cosine * tangent;
                for (one, other) in one.iter_mut().zip(other.iter_mut()) {
                    (*one, *other) = (cosine * *one - sine * *other, sine * *one + cosine * *other);
                }
            }
        }
        if is_done {
            break;
        }
    }
    let mut values: Vec<f64> = rows.iter().map(|row| dot(row, row).sqrt()).collect();
    values.sort_by(|one, other| other.total_cmp(one));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], right: &[f64]) -> bool {
        found.len() == right.len() && found.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    #[test]
    fn lengths_of_orthogonal_rows_are_the_values() {
        assert!(near(&singular_values(vec![vec![3.0, 0.0], vec![0.0, -4.0]]), &[4.0, 3.0]));
        // Its squares are (3 ± √5) / 2.
        let golden = 5.0_f64.sqrt();
        let right = [(0.5 * (3.0 + golden)).sqrt(), (0.5 * (3.0 - golden)).sqrt()];
        assert!(near(&singular_values(vec![vec![1.0, 1.0], vec![0.0, 1.0]]), &right));
        assert!(near(&singular_values(vec![vec![1.0, 2.0], vec![1.0, 2.0]]), &[10.0_f64.sqrt(), 0.0]));
    }

    #[test]
    fn work_is_that_of_products_and_of_what_is_read_once() {
        let params = RandomisedSvdParams { rows: 4, width: 8, rank: 2, passes: 1 };
        let Work { flops, bytes } = RandomisedSvd::work(&params, DType::F32);
        // Four products of 32 numbers by two vectors; the matrix, the start and both sides, the probe and what it gives, two values.
        assert_eq!((flops, bytes), (4.0 * 2.0 * 32.0 * 2.0, 4.0 * (32.0 + 2.0 * (8.0 + 12.0) + 8.0 * 12.0 + 2.0)));
    }

    #[test]
    fn a_matrix_of_the_rank_is_its_own_approximation() {
        let params = RandomisedSvdParams { rows: 2, width: 3, rank: 1, passes: 1 };
        let mut inputs = RandomisedSvd::inputs(&params, 1);
        // The product of (3, 4) and (1, 2, 2), of lengths 5 and 3.
        inputs.insert("matrix", Array::new(vec![2, 3], &[3.0_f32, 6.0, 6.0, 4.0, 8.0, 8.0]));
        let probe: Vec<f32> = (0..3 * PROBES).map(|at| if at == 1 { 1.0 } else { 0.0 }).collect();
        inputs.insert("probe", Array::new(vec![3, PROBES], &probe));
        let answers = RandomisedSvd::reference(&params, &inputs, 1).answers;
        assert!(near(&answers[0].values, &[15.0]), "{:?}", answers[0].values);
        let first: Vec<f64> = answers[1].values.iter().skip(1).step_by(PROBES).copied().collect();
        assert!(near(&first, &[3.0, 4.0]) && answers[1].values[0].abs() < 1e-9, "{:?}", answers[1].values);
    }
}
