//! Numbers that describe one sample.
//!
//! Quantiles are of type 7 (Hyndman & Fan 1996), as in R and NumPy by default.

use crate::{Error, Moments, Result, check};

/// The arithmetic mean.
///
/// # Errors
/// [`Error::TooFew`] for no value, [`Error::NotFinite`].
pub fn mean(x: &[f64]) -> Result<f64> {
    check::finite(x, 1)?;
    check::number(mean_of(x))
}

/// The sample variance, with n - 1 in the denominator.
///
/// # Errors
/// [`Error::TooFew`] below two values, [`Error::NotFinite`], [`Error::Overflow`], [`Error::TooSmall`].
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

/// The geometric mean: the exponential of the mean logarithm, in the unit of `x`.
///
/// # Errors
/// [`Error::TooFew`] for no value, [`Error::NotFinite`], [`Error::NotPositive`] for a value of zero or below.
pub fn geometric_mean(x: &[f64]) -> Result<f64> {
    check::positive(x, 1)?;
    if check::all_equal(x) {
        return Ok(x[0]);
    }
    let logs: Vec<f64> = x.iter().map(|v| v.ln()).collect();
    check::number(mean_of(&logs).exp())
}

/// The median: the middle value, or the mean of the two middle values.
///
/// # Errors
/// [`Error::TooFew`] for no value, [`Error::NotFinite`].
pub fn median(x: &[f64]) -> Result<f64> {
    quantile(x, 0.5)
}

/// The quantile at `p` in [0, 1] by linear interpolation of the order statistics: type 7 of
/// Hyndman & Fan, *Sample Quantiles in Statistical Packages* (1996).
///
/// # Errors
/// [`Error::TooFew`] for no value, [`Error::NotFinite`], [`Error::OutOfRange`] for `p`.
pub fn quantile(x: &[f64], p: f64) -> Result<f64> {
    quantile_in_place(&mut x.to_vec(), p)
}

/// [`quantile`] without a copy: reorders `x`, in linear time.
///
/// # Errors
/// Those of [`quantile`].
pub fn quantile_in_place(x: &mut [f64], p: f64) -> Result<f64> {
    check::finite(x, 1)?;
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::OutOfRange { what: "the quantile's probability", value: p, range: "[0, 1]" });
    }
    Ok(select_quantile(x, p))
}

/// The median of at least one finite value; reorders `x`.
pub(crate) fn median_unchecked(x: &mut [f64]) -> f64 {
    select_quantile(x, 0.5)
}

/// The quantile of at least one finite value in ascending order.
pub(crate) fn quantile_of_sorted(sorted: &[f64], p: f64) -> f64 {
    let (index, fraction) = position(sorted.len(), p);
    match sorted.get(index + 1) {
        Some(&next) => between(sorted[index], next, fraction),
        None => sorted[index],
    }
}

fn select_quantile(x: &mut [f64], p: f64) -> f64 {
    let (index, fraction) = position(x.len(), p);
    let (_, &mut low, above) = x.select_nth_unstable_by(index, f64::total_cmp);
    match above.iter().copied().min_by(f64::total_cmp) {
        Some(next) => between(low, next, fraction),
        None => low,
    }
}

/// The order statistic below the quantile, and how far the quantile lies towards the next.
fn position(n: usize, p: f64) -> (usize, f64) {
    let h = (n - 1) as f64 * p;
    let index = (h.floor() as usize).min(n - 1);
    (index, h - index as f64)
}

fn between(low: f64, high: f64, fraction: f64) -> f64 {
    if fraction == 0.0 {
        return low;
    }
    let step = high - low;
    // The step overflows for neighbours near both ends of the number line.
    if step.is_finite() { low + fraction * step } else { low * (1.0 - fraction) + high * fraction }
}

/// The median of the absolute deviations from the median, unscaled (no factor 1.4826).
///
/// # Errors
/// [`Error::TooFew`] for no value, [`Error::NotFinite`], [`Error::Overflow`].
pub fn mad(x: &[f64]) -> Result<f64> {
    check::finite(x, 1)?;
    let mut values = x.to_vec();
    let center = median_unchecked(&mut values);
    for value in &mut values {
        *value = (*value - center).abs();
    }
    check::number(median_unchecked(&mut values))
}

/// The interval outside which a value is called an outlier, in the unit of the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fences {
    /// First quartile - 1.5 interquartile ranges.
    pub low: f64,
    /// Third quartile + 1.5 interquartile ranges.
    pub high: f64,
}

/// The inner fences: the quartiles (type 7) widened by 1.5 interquartile ranges (Tukey,
/// *Exploratory Data Analysis*, 1977, section 2D).
///
/// # Errors
/// [`Error::TooFew`] for no value, [`Error::NotFinite`], [`Error::Overflow`].
pub fn tukey_fences(x: &[f64]) -> Result<Fences> {
    check::finite(x, 1)?;
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, third) = (quantile_of_sorted(&sorted, 0.25), quantile_of_sorted(&sorted, 0.75));
    let reach = 1.5 * (third - first);
    Ok(Fences { low: check::number(first - reach)?, high: check::number(third + reach)? })
}

/// How many values lie strictly outside [`tukey_fences`]. They are counted, never dropped.
///
/// # Errors
/// Those of [`tukey_fences`].
pub fn outliers(x: &[f64]) -> Result<usize> {
    let fences = tukey_fences(x)?;
    Ok(x.iter().filter(|v| **v < fences.low || **v > fences.high).count())
}

/// Finite values times the power of two that brings the largest of them below 4 in size: exact, except
/// for values that are 2^1000 times smaller than the largest.
pub(crate) fn scaled(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    // 2046 less the exponent's bits is the inverse power of two; 0 would be no normal number.
    let exponent = 2046 - (largest.to_bits() >> 52).min(2045);
    let factor = f64::from_bits(exponent << 52);
    values.iter().map(|v| v * factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn selection_and_sorting_agree() {
        let x = [5.0, 3.0, -1.0, 9.0, 3.0, 0.5, 12.0];
        let mut sorted = x;
        sorted.sort_by(f64::total_cmp);
        for step in 0..=50 {
            let p = f64::from(step) / 50.0;
            assert_eq!(quantile(&x, p), Ok(quantile_of_sorted(&sorted, p)), "p = {p}");
        }
    }

    #[test]
    fn the_median_of_two_extremes_is_finite() {
        assert_eq!(median(&[f64::MAX, -f64::MAX]), Ok(0.0));
    }

    #[test]
    fn a_probability_outside_the_unit_interval_is_an_error() {
        for p in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(quantile(&[1.0], p), Err(Error::OutOfRange { .. })), "p = {p}");
        }
    }

    #[test]
    fn every_size_of_number_comes_near_one() {
        for large in [f64::MAX, 1e308, 7.0, 1.0, 1e-300, f64::MIN_POSITIVE] {
            let near = scaled(&[large, -large / 2.0]);
            assert!((1.0..4.0).contains(&near[0]), "{large:e} became {}", near[0]);
            assert_eq!(near[1], -near[0] / 2.0);
        }
        assert!(scaled(&[5e-324])[0] > 1e-16);
        assert_eq!(scaled(&[0.0, -0.0]), [0.0, 0.0]);
        assert!(scaled(&[]).is_empty());
    }
}
