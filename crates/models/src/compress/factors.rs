//! Factors of low rank, by a randomised range finder with subspace iterations (Halko, Martinsson and Tropp, arXiv 0909.4061,
//! algorithm 4.4).

use benchbook_simd::{Isa, Product, matmul};
use rayon::prelude::*;

use crate::packing::transposed;
use crate::tensors::Tensor;
use crate::weights::Seeded;

/// Steps of subspace iteration: with four, and no more columns than the rank, the error of a matrix of normal numbers, whose
/// singular values hardly fall, is 1 % above the least.
const ITERATIONS: usize = 4;

/// Where the draws begin.
const SEED: u64 = 1;

/// Standard numbers of this shape, from a seed.
pub(super) fn drawn(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    Seeded { seed }.drawn(&Tensor { name: name.to_owned(), shape: shape.to_vec(), mean: 0.0, deviation: 1.0 })
}

/// Factors `[k, rank]`, whose columns are orthonormal, and `[rank, n]` of a matrix `[k, n]`: the second is the first, transposed,
/// times the matrix. Of a rank above k, no columns are left that could be orthonormal to k others: those are zeros.
pub fn factors(matrix: &[f32], [k, n]: [usize; 2], rank: usize) -> [Vec<f32>; 2] {
    let (turned, most) = (transposed(matrix, n), rank.min(k));
    // Rows `[rank, n]` and `[rank, k]` by turns: what are columns elsewhere lies together.
    let mut range = times(&drawn("a subspace", &[most, n], SEED), &turned, [most, n, k]);
    for _ in 0..ITERATIONS {
        // Before the last step, what they span is all that counts: once a step keeps them apart, the domain needs no turn of its own.
        orthonormalised_once(&mut range, k);
        range = times(&times(&range, matrix, [most, k, n]), &turned, [most, n, k]);
    }
    orthonormalised(&mut range, k);
    let mut second = times(&range, matrix, [most, k, n]);
    second.resize(rank * n, 0.0);
    range.resize(rank * k, 0.0);
    [transposed(&range, k), second]
}

pub(super) fn times(left: &[f32], right: &[f32], size: [usize; 3]) -> Vec<f32> {
    let mut out = vec![0.0; size[0] * size[2]];
    let done = matmul(&Product { size, left, right, isa: Isa::detect() }, &mut out);
    done.unwrap_or_else(|error| panic!("factors of low rank: {error}"));
    out
}

/// Rows that are made orthonormal before what they share is taken from all others at once, by two products of matrices.
const BLOCK: usize = 32;

/// Makes rows orthonormal, twice: once may leave of near rows what they share (Giraud et al., "Rounding error analysis of the classical
/// Gram-Schmidt orthogonalization process", Numer. Math. 101, 2005). A row of zeros stays one.
pub(super) fn orthonormalised(rows: &mut [f32], width: usize) {
    orthonormalised_once(rows, width);
    orthonormalised_once(rows, width);
}

/// Makes rows about orthonormal, by modified Gram–Schmidt, a block of rows after another.
fn orthonormalised_once(rows: &mut [f32], width: usize) {
    let mut rest = rows;
    while !rest.is_empty() {
        let numbers = (BLOCK * width).min(rest.len());
        let (block, others) = rest.split_at_mut(numbers);
        orthonormalised_one_by_one(block, width);
        without(others, block, width);
        rest = others;
    }
}

/// Takes from rows what they share with orthonormal ones.
fn without(rows: &mut [f32], orthonormal: &[f32], width: usize) {
    let [count, taken] = [rows.len() / width, orthonormal.len() / width];
    if count == 0 {
        return;
    }
    let shares = times(rows, &transposed(orthonormal, width), [count, width, taken]);
    let shared = times(&shares, orthonormal, [count, taken, width]);
    rows.iter_mut().zip(&shared).for_each(|(number, shared)| *number -= shared);
}

fn orthonormalised_one_by_one(rows: &mut [f32], width: usize) {
    for row in 0..rows.len() / width {
        let (done, rest) = rows.split_at_mut((row + 1) * width);
        let done = &mut done[row * width..];
        let length = dot(done, done).sqrt();
        if length > 0.0 {
            done.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
        }
        let done = &*done;
        rest.par_chunks_exact_mut(width).for_each(|other| {
            let share = dot(done, other) as f32;
            other.iter_mut().zip(done).for_each(|(number, done)| *number -= share * done);
        });
    }
}

pub(super) fn dot(one: &[f32], other: &[f32]) -> f64 {
    let ((ones, last_ones), (others, last_others)) = (one.as_chunks::<4>(), other.as_chunks::<4>());
    // Four sums, since one waits for itself.
    let mut sums = [0.0; 4];
    for (one, other) in ones.iter().zip(others) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += f64::from(*one) * f64::from(*other);
        }
    }
    let last = last_ones.iter().zip(last_others).map(|(one, other)| f64::from(*one) * f64::from(*other));
    sums.into_iter().sum::<f64>() + last.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ‖matrix − first · second‖² over ‖matrix‖².
    fn lost(matrix: &[f32], [k, n]: [usize; 2], rank: usize) -> f64 {
        let [first, second] = factors(matrix, [k, n], rank);
        let (mut off, mut all) = (0.0, 0.0);
        for (at, number) in matrix.iter().enumerate() {
            let products =
                (0..rank).map(|step| f64::from(first[at / n * rank + step]) * f64::from(second[step * n + at % n]));
            let number = f64::from(*number);
            off += (number - products.sum::<f64>()).powi(2);
            all += number.powi(2);
        }
        off / all
    }

    #[test]
    fn columns_are_orthonormal_and_of_full_rank_nothing_is_lost() {
        let matrix = drawn("a matrix", &[23, 11], 5);
        let [first, _] = factors(&matrix, [23, 11], 11);
        for (one, other) in (0..11).flat_map(|one| (0..11).map(move |other| (one, other))) {
            let product: f64 =
                (0..23).map(|row| f64::from(first[row * 11 + one]) * f64::from(first[row * 11 + other])).sum();
            assert!((product - f64::from(u8::from(one == other))).abs() < 1e-6, "{one} {other}: {product}");
        }
        assert!(lost(&matrix, [23, 11], 11) < 1e-12);
    }

    #[test]
    fn blocks_of_rows_are_orthonormal_to_each_other() {
        let (count, width) = (2 * BLOCK + 5, 90);
        let mut rows = drawn("rows", &[count, width], 5);
        // Two that share nearly all, in blocks of their own.
        let near: Vec<f32> = rows[..width].iter().map(|number| number + 1e-3).collect();
        rows[(count - 1) * width..].copy_from_slice(&near);
        orthonormalised(&mut rows, width);
        for (place, one) in rows.chunks_exact(width).enumerate() {
            for (other_place, other) in rows.chunks_exact(width).enumerate() {
                let wanted = f64::from(u8::from(place == other_place));
                let product = dot(one, other);
                assert!((product - wanted).abs() < 1e-6, "{place} {other_place}: {product}");
            }
        }
    }

    #[test]
    fn what_is_lost_is_what_singular_values_say() {
        // 40 by 30 of rank 3 with these singular values, since rows of cosines are orthogonal.
        let wave = |frequency: usize, place: usize, count: usize| {
            let angle = std::f64::consts::PI * frequency as f64 * (place as f64 + 0.5) / count as f64;
            angle.cos() * (2.0 / count as f64).sqrt()
        };
        for (values, near) in [([4.0, 2.0, 1.0], 1e-3), ([1000.0, 30.0, 1.0], 1e-7)] {
            let entry = |row: usize, column: usize| -> f64 {
                let of = |(at, value): (usize, &f64)| value * wave(at + 1, row, 40) * wave(at + 1, column, 30);
                values.iter().enumerate().map(of).sum()
            };
            let matrix: Vec<f32> = (0..1200).map(|at| entry(at / 30, at % 30) as f32).collect();
            let squares = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
            for (rank, allowed) in [(1, near), (2, near), (3, 1e-10), (5, 1e-10)] {
                let right = squares(&values[rank.min(3)..]) / squares(&values);
                let found = lost(&matrix, [40, 30], rank);
                assert!((found - right).abs() < allowed, "{values:?}, rank {rank}: {found}, not {right}");
            }
        }
    }

    #[test]
    fn of_no_rank_nothing_is_left_and_of_more_than_the_full_one_all() {
        for size in [[5, 9], [9, 5]] {
            let matrix = drawn("a matrix", &size, 7);
            assert_eq!((factors(&matrix, size, 0), lost(&matrix, size, 0)), ([vec![], vec![]], 1.0));
            for rank in [5, 8, 12] {
                let lengths = factors(&matrix, size, rank).map(|factor| factor.len());
                assert_eq!(lengths, size.map(|axis| axis * rank));
                let found = lost(&matrix, size, rank);
                assert!(found < 1e-10, "rank {rank} of {size:?}: {found}");
            }
        }
    }

    #[test]
    fn zeros_have_factors() {
        let [first, second] = factors(&[0.0; 12], [4, 3], 2);
        assert!(first.iter().chain(&second).all(|number| *number == 0.0));
    }
}
