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

/// The same where each weight is made less by `least` of the largest, and values whose weight would not be above nothing are left out; a
/// NaN stays one.
pub fn average_above<'a, T: Copy + Into<f64> + 'a>(
    scores: &[f64],
    least: f64,
    head_dim: usize,
    value: impl Fn(usize) -> &'a [T],
) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp() - least).collect();
    let seen: Vec<usize> = (0..scores.len()).filter(|j| weights[*j] > 0.0 || scores[*j].is_nan()).collect();
    // By the softmax of what makes the same weights.
    let scores: Vec<f64> = seen.iter().map(|j| weights[*j].ln()).collect();
    average(&scores, head_dim, |place| value(seen[place]))
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
    fn small_weights_are_left_out_and_the_others_become_less() {
        let values = [[1.0_f64], [10.0], [100.0]];
        let scores = [0.0, 0.5_f64.ln(), 0.1_f64.ln()];
        let of = |least: f64| average_above(&scores, least, 1, |j| &values[j][..])[0];
        // Weights of 1, 0.5 and 0.1; then of 0.8 and 0.3, the last one being less than nothing.
        assert!((of(0.0) - (1.0 + 5.0 + 10.0) / 1.6).abs() < 1e-12);
        assert!((of(0.2) - (0.8 + 3.0) / 1.1).abs() < 1e-12);
        assert!((of(0.999) - 1.0).abs() < 1e-12, "the largest is always seen");
    }

    #[test]
    fn a_row_of_nan_is_no_row_where_all_is_hidden() {
        let value = |_| &[1.0_f64][..];
        assert_eq!(average(&[f64::NEG_INFINITY; 2], 1, value), [0.0]);
        assert_eq!(average_above(&[f64::NEG_INFINITY; 2], 0.1, 1, value), [0.0]);
        for scores in [[f64::NAN; 2], [f64::NEG_INFINITY, f64::NAN]] {
            assert!(average(&scores, 1, value)[0].is_nan(), "{scores:?}");
            assert!(average_above(&scores, 0.1, 1, value)[0].is_nan(), "{scores:?}");
        }
    }
}
