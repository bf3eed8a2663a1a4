//! Quantiles of type 7 (Hyndman & Fan 1996), as in R and NumPy by default.

use crate::{Error, Result, check};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
