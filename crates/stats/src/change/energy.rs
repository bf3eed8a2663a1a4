//! The split of a series that separates its parts most, by the energy statistic.

/// A split with its energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    /// The position of the first value of the right part.
    pub(super) index: usize,
    /// The energy statistic, in the unit of the values.
    pub(super) energy: f64,
}

/// The split at τ whose left part [0, τ) lies farthest from a right part [τ, κ), over all τ and κ
/// (Matteson & James 2014, section 2.2, with exponent 1); `None` below two segments.
///
/// With S(i, j) the sum of the distances of all pairs in [i, j), the pairs across a split have
/// S(0, κ) - S(0, τ) - S(τ, κ). S(τ, ·) follows from S(τ + 1, ·) by one addition each, so all splits
/// take quadratic time and linear memory. `least` is at least 2.
pub(super) fn best_split(values: &[f64], least: usize) -> Option<Split> {
    let from_start = pair_sums(values);
    // distances[j]: the sum of the distances from value j to those in [τ, j).
    let mut distances = vec![0.0; values.len()];
    let mut best: Option<Split> = None;
    for index in (least..values.len()).rev() {
        let (value, left) = (values[index], from_start[index]);
        let mut right = 0.0;
        for (last, distance) in distances.iter_mut().enumerate().skip(index + 1) {
            *distance += (values[last] - value).abs();
            right += *distance;
            let sizes = (index, last + 1 - index);
            if sizes.1 >= least {
                let across = from_start[last + 1] - left - right;
                let energy = energy(sizes, across, left, right);
                // Of equal splits the earliest is taken.
                if best.is_none_or(|b| energy > b.energy || energy == b.energy && index < b.index) {
                    best = Some(Split { index, energy });
                }
            }
        }
    }
    best
}

/// The sum of the distances of all pairs in [0, k), for every k from 0.
fn pair_sums(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let to_earlier = |(index, value): (usize, &f64)| -> f64 {
        sum += values[..index].iter().map(|earlier| (earlier - value).abs()).sum::<f64>();
        sum
    };
    std::iter::once(0.0).chain(values.iter().enumerate().map(to_earlier)).collect()
}

/// n m / (n + m) × (twice the mean distance across - the mean distances within).
fn energy((left, right): (usize, usize), across: f64, within_left: f64, within_right: f64) -> f64 {
    let (n, m) = (left as f64, right as f64);
    2.0 / (n + m) * (across - m / (n - 1.0) * within_left - n / (m - 1.0) * within_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statistic by its definition.
    fn by_definition(left: &[f64], right: &[f64]) -> f64 {
        let pairs = |x: &[f64], y: &[f64]| -> f64 { x.iter().flat_map(|a| y.iter().map(move |b| (a - b).abs())).sum() };
        let (n, m) = (left.len() as f64, right.len() as f64);
        let within = |x: &[f64], size: f64| pairs(x, x) / (size * (size - 1.0));
        n * m / (n + m) * (2.0 * pairs(left, right) / (n * m) - within(left, n) - within(right, m))
    }

    #[test]
    fn the_best_split_is_that_of_the_definition() {
        let x: Vec<f64> = (0..23_i32).map(|i| f64::from(i * i * 7 % 11) + if i < 9 { 0.0 } else { 6.5 }).collect();
        for least in [2, 3, 5] {
            let mut wanted = (0, f64::NEG_INFINITY);
            for index in least..=x.len() - least {
                for end in index + least..=x.len() {
                    let energy = by_definition(&x[..index], &x[index..end]);
                    wanted = if energy > wanted.1 { (index, energy) } else { wanted };
                }
            }
            let got = best_split(&x, least).expect("long enough");
            assert_eq!(got.index, wanted.0);
            assert!((got.energy / wanted.1 - 1.0).abs() < 1e-12, "{} {}", got.energy, wanted.1);
        }
    }

    #[test]
    fn a_series_below_two_segments_has_no_split() {
        assert_eq!((best_split(&[], 2), best_split(&[1.0, 2.0, 9.0], 2)), (None, None));
        assert_eq!(best_split(&[1.0, 1.0, 9.0, 9.0], 2).map(|s| s.index), Some(2));
    }
}
