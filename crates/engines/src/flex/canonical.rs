//! The canonical polyadic decomposition of a tensor of three axes: a sum of products of three vectors, by alternating least squares
//! (Kolda and Bader, "Tensor decompositions and applications", SIAM Review 51(3), 2009, section 3.4).

use benchbook_core::Array;
use benchbook_models::compress::cholesky;

/// Turns of all three axes.
const TURNS: usize = 25;

/// What is added to the squares of a component, as a share of their mean: without it, two components may grow against each other
/// for ever, whose sum is small (the degeneracy of section 3.3).
const RIDGE: f64 = 1e-2;

/// Where the draws begin.
const SEED: u64 = 2;

/// `[axis, rank]` for each axis of a tensor of this size, such that the products of their columns add up to about the tensor. Columns
/// of the second and the third have a length of one.
pub fn canonical(tensor: &[f32], size: [usize; 3], rank: usize) -> [Vec<f64>; 3] {
    let mut factors =
        [0, 1, 2].map(|axis: usize| Array::normal(vec![size[axis], rank], SEED, axis as u64 + 1).to_f64());
    factors[1..].iter_mut().for_each(|factor| normalise(factor, rank));
    for _ in 0..TURNS {
        for axis in 0..3 {
            factors[axis] = best(tensor, size, &factors, [axis, rank]);
            if axis > 0 {
                normalise(&mut factors[axis], rank);
            }
        }
    }
    // Its columns have the lengths that the others have lost.
    factors[0] = best(tensor, size, &factors, [0, rank]);
    factors
}

/// The factor of an axis that is best beside the two others.
fn best(tensor: &[f32], size: [usize; 3], factors: &[Vec<f64>; 3], [axis, rank]: [usize; 2]) -> Vec<f64> {
    let [one, other] = [[1, 2], [0, 2], [0, 1]][axis];
    let mut sums = vec![0.0; size[axis] * rank];
    for (place, number) in tensor.iter().enumerate() {
        let at = [place / (size[1] * size[2]), place / size[2] % size[1], place % size[2]];
        let both = factors[one][at[one] * rank..].iter().zip(&factors[other][at[other] * rank..]);
        for (sum, (one, other)) in sums[at[axis] * rank..][..rank].iter_mut().zip(both) {
            *sum += f64::from(*number) * one * other;
        }
    }
    let mut squares = squares(&factors[one], rank);
    squares.iter_mut().zip(self::squares(&factors[other], rank)).for_each(|(one, other)| *one *= other);
    let mean = (0..rank).map(|column| squares[column * rank + column]).sum::<f64>() / rank as f64;
    (0..rank).for_each(|column| squares[column * rank + column] += RIDGE * mean + f64::MIN_POSITIVE);
    cholesky(&mut squares, rank);
    sums.chunks_exact_mut(rank).for_each(|row| solve(&squares, row));
    sums
}

/// Products of columns with columns `[rank, rank]`.
fn squares(factor: &[f64], rank: usize) -> Vec<f64> {
    let mut sums = vec![0.0; rank * rank];
    for row in factor.chunks_exact(rank) {
        for (sums, one) in sums.chunks_exact_mut(rank).zip(row) {
            sums.iter_mut().zip(row).for_each(|(sum, other)| *sum += one * other);
        }
    }
    sums
}

/// Gives columns a length of one; those of zeros stay.
fn normalise(factor: &mut [f64], rank: usize) {
    for column in 0..rank {
        let length = factor.iter().skip(column).step_by(rank).map(|number| number * number).sum::<f64>().sqrt();
        if length > 0.0 {
            factor.iter_mut().skip(column).step_by(rank).for_each(|number| *number /= length);
        }
    }
}

/// What a matrix, by its Cholesky factor, has to be multiplied by for these numbers, in their place.
fn solve(triangle: &[f64], numbers: &mut [f64]) {
    let rank = numbers.len();
    for row in 0..rank {
        let (before, rest) = numbers.split_at_mut(row);
        let line = &triangle[row * rank..];
        let done: f64 = line.iter().zip(&*before).map(|(one, other)| one * other).sum();
        rest[0] = (rest[0] - done) / line[row];
    }
    for row in (0..rank).rev() {
        let (before, after) = numbers.split_at_mut(row + 1);
        let below = triangle[row..].iter().step_by(rank).skip(row + 1);
        let done: f64 = below.zip(&*after).map(|(one, other)| one * other).sum();
        before[row] = (before[row] - done) / triangle[row * rank + row];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ‖tensor − sum‖ over ‖tensor‖.
    fn lost(tensor: &[f32], size: [usize; 3], rank: usize) -> f64 {
        let [one, two, three] = canonical(tensor, size, rank);
        let (mut off, mut all) = (0.0, 0.0);
        for (place, number) in tensor.iter().enumerate() {
            let at = [place / (size[1] * size[2]), place / size[2] % size[1], place % size[2]];
            let part =
                |column: usize| one[at[0] * rank + column] * two[at[1] * rank + column] * three[at[2] * rank + column];
            off += (f64::from(*number) - (0..rank).map(part).sum::<f64>()).powi(2);
            all += f64::from(*number).powi(2);
        }
        (off / all).sqrt()
    }

    #[test]
    fn a_sum_of_two_products_is_found() {
        let size = [6, 5, 4];
        let wave = |frequency: f64, place: usize, count: usize| {
            (std::f64::consts::PI * frequency * (place as f64 + 0.5) / count as f64).cos() * (2.0 / count as f64).sqrt()
        };
        let number = |place: usize| -> f32 {
            let at = [place / 20, place / 4 % 5, place % 4];
            let part = |(frequency, length): (f64, f64)| {
                length * (0..3).map(|axis| wave(frequency, at[axis], size[axis])).product::<f64>()
            };
            [(1.0, 2.0), (2.0, 1.0)].map(part).iter().sum::<f64>() as f32
        };
        let tensor: Vec<f32> = (0..120).map(number).collect();
        // One component is at best the longer of two, √(1/5), and may be the other, √(4/5).
        assert!((0.44..0.9).contains(&lost(&tensor, size, 1)), "{}", lost(&tensor, size, 1));
        // The ridge takes a hundredth.
        assert!(lost(&tensor, size, 2) < 0.02, "{}", lost(&tensor, size, 2));
    }

    #[test]
    fn zeros_have_a_decomposition() {
        let factors = canonical(&[0.0; 24], [2, 3, 4], 2);
        assert!(factors[0].iter().all(|number| *number == 0.0), "{factors:?}");
    }
}
