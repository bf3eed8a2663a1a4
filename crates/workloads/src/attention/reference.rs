//! What references of attention are made of, in `f64`.

/// Values weighted by the softmax of their scores: `value(j)` begins with the `head_dim` numbers of value `j`. Where every
/// score is −∞, zeros.
pub fn average<'a, T: Copy + Into<f64> + 'a>(
    scores: &[f64],
    head_dim: usize,
    value: impl Fn(usize) -> &'a [T],
) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sums = vec![0.0; head_dim];
    // Where all is hidden there is nothing to average; a NaN is larger than nothing, and hides nothing.
    if scores.iter().all(|score| *score == f64::NEG_INFINITY) {
        return sums;
    }
    let mut total = 0.0;
    for (j, score) in scores.iter().enumerate() {
        let weight = (score - largest).exp();
        total += weight;
        for (sum, number) in sums.iter_mut().zip(value(j)) {
            let number: f64 = (*number).into();
            *sum += weight * number;
        }
    }
    sums.into_iter().map(|sum| sum / total).collect()
}

/// Adds a vector to another.
pub fn add(to: &mut [f64], other: &[f64]) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}

/// The product of two vectors; what one of them has too many is left out.
pub fn dot<L: Copy + Into<f64>, R: Copy + Into<f64>>(left: &[L], right: &[R]) -> f64 {
    let product = |(left, right): (&L, &R)| -> f64 { Into::<f64>::into(*left) * Into::<f64>::into(*right) };
    left.iter().zip(right).map(product).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_nan_is_no_row_where_all_is_hidden() {
        let value = |_| &[1.0_f64][..];
        assert_eq!(average(&[f64::NEG_INFINITY; 2], 1, value), [0.0]);
        for scores in [[f64::NAN; 2], [f64::NEG_INFINITY, f64::NAN]] {
            assert!(average(&scores, 1, value)[0].is_nan(), "{scores:?}");
        }
    }
}
