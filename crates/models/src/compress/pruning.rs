//! Which numbers of a matrix are kept: the largest, alone, or two of every four.

use std::cmp::Ordering;

use rayon::prelude::*;

/// Leaves out so many percent of all numbers, the smallest (Han et al., arXiv 1506.02626): zeros stand in their place.
pub fn singles(numbers: &mut [f32], percent: usize) {
    let sizes: Vec<f32> = numbers.iter().map(|number| number.abs()).collect();
    let kept = largest(&sizes, (sizes.len() * (100 - percent)).div_ceil(100));
    numbers.iter_mut().zip(kept).filter(|(_, kept)| !kept).for_each(|(number, _)| *number = 0.0);
}

/// Keeps two of every four numbers down a column (2:4, Mishra et al., arXiv 2104.08378): of equal ones the first.
pub fn two_of_four(numbers: &mut [f32], columns: usize) {
    numbers.par_chunks_mut(4 * columns).for_each(|four| match four.len() / columns {
        4 => two_of::<4>(four, columns),
        3 => two_of::<3>(four, columns),
        // Of the last steps two are kept, too.
        _ => {}
    });
}

/// Keeps two of `N` numbers of each column; how many there are is known, so that nothing branches.
fn two_of<const N: usize>(numbers: &mut [f32], columns: usize) {
    for column in 0..columns {
        let sizes: [f32; N] = std::array::from_fn(|step| numbers[step * columns + column].abs());
        for (step, size) in sizes.into_iter().enumerate() {
            let before = |(other, of_other): (usize, f32)| {
                larger(of_other, size) == Ordering::Less || (of_other == size && other < step)
            };
            if sizes.into_iter().enumerate().filter(|other| before(*other)).count() >= 2 {
                numbers[step * columns + column] = 0.0;
            }
        }
    }
}

/// The sum of squares, by which blocks and channels are compared.
pub fn squares(numbers: &[f32]) -> f32 {
    numbers.iter().map(|number| number * number).sum()
}

/// Of each stretch of `across` numbers the parts that are kept, of `each` numbers.
pub fn kept_parts(numbers: &[f32], [across, each]: [usize; 2], kept: &[usize]) -> Vec<f32> {
    let of = |stretch: &[f32]| -> Vec<f32> {
        kept.iter().flat_map(|part| &stretch[part * each..][..each]).copied().collect()
    };
    numbers.chunks_exact(across).flat_map(of).collect()
}

/// The larger first.
fn larger(one: f32, other: f32) -> Ordering {
    other.total_cmp(&one)
}

/// Whether each is among so many largest, one at least, of equal ones the first.
pub fn largest(sizes: &[f32], count: usize) -> Vec<bool> {
    let count = count.max(1);
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    if count < order.len() {
        order.select_nth_unstable_by(count, |one, other| larger(sizes[*one], sizes[*other]).then(one.cmp(other)));
    }
    let mut kept = vec![false; sizes.len()];
    order.into_iter().take(count).for_each(|place| kept[place] = true);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_kept_and_of_equal_ones_the_first() {
        let mut numbers = [1.0, -3.0, 2.0, -2.0, 0.5, 1.0];
        singles(&mut numbers, 50);
        assert_eq!(numbers, [0.0, -3.0, 2.0, -2.0, 0.0, 0.0]);
        // Two columns of five steps: the last one is alone, and kept.
        let mut numbers = [1.0, 9.0, -4.0, 9.0, 2.0, 9.0, 3.0, 9.0, 0.1, 0.0];
        two_of_four(&mut numbers, 2);
        assert_eq!(numbers, [0.0, 9.0, -4.0, 9.0, 0.0, 0.0, 3.0, 0.0, 0.1, 0.0]);
        // Of three that are left two are kept, of equal ones the first.
        let mut numbers = [1.0, 2.0, 3.0, 4.0, 2.0, -2.0, 2.0];
        two_of_four(&mut numbers, 1);
        assert_eq!(numbers, [0.0, 0.0, 3.0, 4.0, 2.0, -2.0, 0.0]);
        assert_eq!(largest(&[1.0, 1.0, 2.0], 2), [true, false, true]);
        assert_eq!(largest(&[1.0, 1.0], 0), [true, false], "one is kept at least");
        let numbers = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(kept_parts(&numbers, [4, 2], &[1]), [2.0, 3.0, 6.0, 7.0]);
        assert_eq!(kept_parts(&numbers, [8, 4], &[1]), [4.0, 5.0, 6.0, 7.0]);
    }
}
