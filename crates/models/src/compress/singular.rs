//! The largest singular values of a matrix with their vectors, by a randomised range finder (Halko, Martinsson and Tropp, arXiv
//! 0909.4061, algorithms 4.4 and 5.1).

use rayon::prelude::*;

use super::cholesky::cholesky;
use super::factors::{dot, orthonormalised, times};
use crate::packing::transposed;

/// The largest singular values of a matrix `[m, n]`, with their vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// Vectors of the length of a column, side by side: `[m, rank]`.
    pub left: Vec<f32>,
    /// Values, falling: `[rank]`.
    pub values: Vec<f32>,
    /// Vectors of the length of a row: `[rank, n]`; zeros where the value is 0.
    pub right: Vec<f32>,
}

impl Svd {
    /// The approximation that they are, times `columns` `[n, count]`: `[m, count]`.
    pub fn times(&self, columns: &[f32], count: usize) -> Vec<f32> {
        let rank = self.values.len();
        let [m, n] = [self.left.len(), self.right.len()].map(|numbers| numbers / rank);
        let mut shares = times(&self.right, columns, [rank, n, count]);
        for (row, value) in shares.chunks_exact_mut(count).zip(&self.values) {
            row.iter_mut().for_each(|share| *share *= value);
        }
        times(&self.left, &shares, [m, rank, count])
    }
}

/// As many singular values of a matrix `[m, n]` as `start` `[n, rank]` has columns, and their vectors: the range of the matrix times the
/// start, taken through the matrix and back so many times, and what the matrix is within it.
///
/// # Panics
/// If the start has no column, or either has other sizes.
pub fn randomised_svd(matrix: &[f32], [m, n]: [usize; 2], start: &[f32], passes: usize) -> Svd {
    let rank = start.len() / n;
    // Vectors are rows here: what are columns elsewhere lies together.
    let along = |columns: &[f32]| transposed(&times(matrix, columns, [m, n, rank]), rank);
    let mut range = along(start);
    reduced(&mut range, m);
    for _ in 0..passes {
        let mut domain = times(&range, matrix, [rank, m, n]);
        reduced(&mut domain, n);
        range = along(&transposed(&domain, n));
        reduced(&mut range, m);
    }
    // Once leaves of near vectors what they share, as far as rounding goes (CholeskyQR2: Yamamoto et al., ETNA 44, 2015).
    reduced(&mut range, m);
    let rest = times(&range, matrix, [rank, m, n]);
    let (squares, turns) = turned(products(&rest, n), rank);
    // Rounding may leave less than nothing; what is no number stays none.
    let values: Vec<f32> = squares.iter().map(|square| square.clamp(0.0, f64::INFINITY).sqrt() as f32).collect();
    let left = transposed(&times(&turns, &range, [rank, rank, m]), m);
    let mut right = times(&turns, &rest, [rank, rank, n]);
    for (row, value) in right.chunks_exact_mut(n).zip(&values) {
        let scale = if *value > 0.0 { value.recip() } else { 0.0 };
        row.iter_mut().for_each(|number| *number *= scale);
    }
    Svd { left, values, right }
}

/// Makes rows of this width orthonormal by the Cholesky factor of their products; one after another where some nearly contain others.
fn reduced(rows: &mut Vec<f32>, width: usize) {
    let count = rows.len() / width;
    match inverse_factor(products(rows, width), count) {
        Some(inverse) => *rows = times(&inverse, rows, [count, count, width]),
        None => orthonormalised(rows, width),
    }
}

/// The products of every two rows of this width: `[rows, rows]`.
fn products(rows: &[f32], width: usize) -> Vec<f64> {
    let count = rows.len() / width;
    let mut products = vec![0.0; count * count];
    products.par_chunks_exact_mut(count).enumerate().for_each(|(at, to)| {
        let row = &rows[at * width..][..width];
        to.iter_mut().zip(rows.chunks_exact(width)).take(at + 1).for_each(|(to, other)| *to = dot(row, other));
    });
    for row in 0..count {
        for column in row + 1..count {
            products[row * count + column] = products[column * count + row];
        }
    }
    products
}

/// What is left of a row beside those before it at least, as a share of its square: less is rounding.
const LEAST: f64 = 1e-12;

/// The inverse of the Cholesky factor of a symmetric matrix `[count, count]`; nothing where it has none, as far as rounding goes.
fn inverse_factor(mut factor: Vec<f64>, count: usize) -> Option<Vec<f32>> {
    let place = |row: usize, column: usize| row * count + column;
    let squares: Vec<f64> = factor.iter().step_by(count + 1).copied().collect();
    cholesky(&mut factor, count);
    let left = factor.iter().step_by(count + 1);
    if !left.zip(squares).all(|(left, whole)| left.powi(2) > LEAST * whole) {
        return None;
    }
    let mut inverse = vec![0.0; count * count];
    for column in 0..count {
        inverse[place(column, column)] = factor[place(column, column)].recip();
        for row in column + 1..count {
            let shared: f64 = (column..row).map(|at| factor[place(row, at)] * inverse[place(at, column)]).sum();
            inverse[place(row, column)] = -shared / factor[place(row, row)];
        }
    }
    Some(inverse.into_iter().map(|number| number as f32).collect())
}

/// Turns of every two rows at most: what is left beside the diagonal shrinks faster and faster.
const SWEEPS: usize = 30;

/// The eigenvalues of a symmetric matrix `[count, count]`, falling, and their vectors as rows, by Jacobi's rotations (Golub and Van Loan,
/// Matrix Computations, section 8.5).
fn turned(mut matrix: Vec<f64>, count: usize) -> (Vec<f64>, Vec<f32>) {
    // What is left beside the diagonal at most, as rounding leaves it of the whole.
    let least = 4.0 * f64::EPSILON * (0..count).map(|at| matrix[at * count + at].abs()).sum::<f64>();
    let mut turns: Vec<f64> = (0..count * count).map(|at| f64::from(u8::from(at / count == at % count))).collect();
    for _ in 0..SWEEPS {
        let mut is_done = true;
        for one in 0..count {
            for other in one + 1..count {
                let [first, second] = [one, other].map(|at| matrix[at * count + at]);
                let shared = matrix[one * count + other];
                if shared.abs() <= least {
                    continue;
                }
                is_done = false;
                let slope = (second - first) / (2.0 * shared);
                let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
                let cosine = tangent.hypot(1.0).recip();
                let sine = cosine * tangent;
                let turn = |numbers: &mut [f64], [one, other]: [usize; 2]| {
                    let [first, second] = [numbers[one], numbers[other]];
                    numbers[one] = cosine * first - sine * second;
                    numbers[other] = sine * first + cosine * second;
                };
                for at in 0..count {
                    turn(&mut matrix, [one * count + at, other * count + at]);
                    turn(&mut turns, [one * count + at, other * count + at]);
                }
                for at in 0..count {
                    turn(&mut matrix, [at * count + one, at * count + other]);
                }
            }
        }
        if is_done {
            break;
        }
    }
    let mut order: Vec<usize> = (0..count).collect();
    let value = |at: usize| matrix[at * count + at];
    order.sort_by(|one, other| value(*other).total_cmp(&value(*one)));
    let rows = order.iter().flat_map(|at| &turns[at * count..][..count]);
    (order.iter().map(|at| value(*at)).collect(), rows.map(|number| *number as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::factors::drawn;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        drawn("numbers", &[count], seed)
    }

    #[test]
    fn a_matrix_of_low_rank_is_its_vectors() {
        let ([m, n], rank) = ([37, 23], 3);
        let (one, other) = (numbers(m * rank, 3), numbers(rank * n, 5));
        let matrix = times(&one, &other, [m, rank, n]);
        let found = randomised_svd(&matrix, [m, n], &numbers(n * (rank + 2), 11), 1);
        assert!(found.values.is_sorted_by(|one, other| one >= other), "{:?}", found.values);
        assert!(found.values[2] > 0.1 && found.values[3] < 1e-4 * found.values[0], "{:?}", found.values);
        let squares: f64 = found.values.iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!((squares / dot(&matrix, &matrix) - 1.0).abs() < 1e-5, "{squares}");
        let columns = numbers(n * 2, 13);
        let right = times(&matrix, &columns, [m, n, 2]);
        let off = right.iter().zip(found.times(&columns, 2)).map(|(one, other)| (one - other).abs());
        assert!(off.fold(0.0, f32::max) < 1e-3);
        // Vectors of values that are there have length one, and share nothing.
        for (first, second) in (0..rank).flat_map(|first| (0..rank).map(move |second| (first, second))) {
            let [left, right] = [transposed(&found.left, rank + 2), found.right.clone()];
            let of =
                |rows: &[f32], width: usize| dot(&rows[first * width..][..width], &rows[second * width..][..width]);
            let shared = [of(&left, m), of(&right, n)];
            let wanted = f64::from(u8::from(first == second));
            assert!(shared.iter().all(|shared| (shared - wanted).abs() < 1e-4), "{first} {second}: {shared:?}");
        }
    }

    #[test]
    fn zeros_have_no_values_and_numbers_that_are_none_stay_so() {
        let found = randomised_svd(&[0.0; 12], [4, 3], &numbers(6, 1), 2);
        assert_eq!((found.values.as_slice(), found.right.as_slice()), (&[0.0; 2][..], &[0.0; 6][..]));
        assert!(found.times(&[1.0; 3], 1).iter().all(|number| *number == 0.0));
        let mut matrix = numbers(12, 3);
        matrix[5] = f32::NAN;
        let found = randomised_svd(&matrix, [4, 3], &numbers(6, 1), 1);
        assert!(found.values.iter().chain(&found.times(&[1.0; 3], 1)).any(|number| number.is_nan()), "{found:?}");
    }
}
