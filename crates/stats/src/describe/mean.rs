//! Mean, variance and standard deviation.

use crate::{Moments, Result, check};

/// The arithmetic mean.
///
/// # Errors
/// [`Error::TooFew`](crate::Error::TooFew) for no value, [`Error::NotFinite`](crate::Error::NotFinite).
pub fn mean(x: &[f64]) -> Result<f64> {
    check::finite(x, 1)?;
    check::number(mean_of(x))
}

/// The sample variance, with n - 1 in the denominator.
///
/// # Errors
/// [`Error::TooFew`](crate::Error::TooFew) below two values, [`Error::NotFinite`](crate::Error::NotFinite),
/// [`Error::Overflow`](crate::Error::Overflow), [`Error::TooSmall`](crate::Error::TooSmall).
pub fn variance(x: &[f64]) -> Result<f64> {
    check::finite(x, 2)?;
    Moments::of(x)?.variance()
}

/// The sample standard deviation: the root of [`variance`].
///
/// # Errors
/// Those of [`variance`].
pub fn std_dev(x: &[f64]) -> Result<f64> {
    variance(x).map(f64::sqrt)
}

/// The mean of finite values by compensated summation (Neumaier 1974); 0 for none.
pub(crate) fn mean_of(x: &[f64]) -> f64 {
    let Some(first) = x.first() else { return 0.0 };
    // A constant sample must give its constant back exactly, or its variance would not be zero.
    if check::all_equal(x) {
        return *first;
    }
    let n = x.len() as f64;
    let sum = compensated_sum(x.iter().copied());
    if sum.is_finite() { sum / n } else { compensated_sum(x.iter().map(|v| v / n)) }
}

fn compensated_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn small_values_survive_beside_large_ones() {
        assert_eq!(mean(&[1e100, 1.0, -1e100]), Ok(1.0 / 3.0));
    }

    #[test]
    fn the_largest_numbers_have_a_mean() {
        assert_eq!(mean(&[f64::MAX, f64::MAX]), Ok(f64::MAX));
        let m = mean(&[f64::MAX, f64::MAX / 2.0]).expect("a mean");
        assert!((m / (f64::MAX * 0.75) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_constant_has_no_variance_even_where_its_sum_rounds() {
        assert_eq!(variance(&[0.1; 7]), Ok(0.0));
    }

    #[test]
    fn squares_that_overflow_are_an_error() {
        assert_eq!(variance(&[1e200, -1e200]), Err(Error::Overflow));
    }
}
