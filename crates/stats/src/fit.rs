//! Fits of one variable on another.

use crate::describe::mean_of;
use crate::dist::student;
use crate::{Error, Interval, Result, check};

/// The fit y = coefficient × x^exponent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerLaw {
    /// The exponent with Student's interval.
    pub exponent: Interval,
    /// The value of the fit at x = 1, in the unit of y.
    pub coefficient: f64,
    /// The share of the variance of ln y that the fit explains; 1 where y does not vary.
    pub r_squared: f64,
    /// How many points were fitted.
    pub n: usize,
}

impl PowerLaw {
    /// The fitted y at x, in the unit of y.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        self.coefficient * x.powf(self.exponent.estimate)
    }
}

/// Fits a power law by ordinary least squares of ln y on ln x (Draper & Smith, *Applied Regression
/// Analysis*, 1998, section 1.4). Points on an exact power law have an interval of no width.
///
/// # Errors
/// [`Error::UnequalLength`], [`Error::TooFew`] below three points, [`Error::NotFinite`],
/// [`Error::NotPositive`], [`Error::Constant`] where x does not vary, [`Error::OutOfRange`] for the
/// level, [`Error::Overflow`].
pub fn power_law(x: &[f64], y: &[f64], level: f64) -> Result<PowerLaw> {
    check::level(level)?;
    check::same_length(x, y)?;
    check::positive(x, 3)?;
    check::positive(y, 3)?;
    if check::all_equal(x) {
        return Err(Error::Constant);
    }
    let (center_x, across) = centered_logs(x);
    let (center_y, up) = centered_logs(y);
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let spread = product(&across, &across);
    if spread <= 0.0 {
        return Err(Error::Constant);
    }
    let exponent = product(&across, &up) / spread;
    let residual: f64 = across.iter().zip(&up).map(|(a, u)| (u - exponent * a).powi(2)).sum();
    let total = product(&up, &up);
    let df = (x.len() - 2) as f64;
    let standard_error = (residual / df / spread).sqrt();
    Ok(PowerLaw {
        exponent: Interval::around(exponent, student::critical(level, df) * standard_error, level)?,
        coefficient: check::number((center_y - exponent * center_x).exp())?,
        r_squared: if total > 0.0 { (1.0 - residual / total).max(0.0) } else { 1.0 },
        n: x.len(),
    })
}

/// The mean logarithm, and the logarithms less it.
fn centered_logs(x: &[f64]) -> (f64, Vec<f64>) {
    let logs: Vec<f64> = x.iter().map(|v| v.ln()).collect();
    let center = mean_of(&logs);
    (center, logs.into_iter().map(|l| l - center).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_law_is_recovered() {
        let x = [1.0, 2.0, 4.0, 8.0, 16.0];
        let y = x.map(|v: f64| 3.0 * v.powi(2));
        let fit = power_law(&x, &y, 0.95).expect("a fit");
        assert!((fit.exponent.estimate - 2.0).abs() < 1e-12 && fit.exponent.high - fit.exponent.low < 1e-10);
        assert!((fit.coefficient - 3.0).abs() < 1e-11 && fit.r_squared > 1.0 - 1e-12);
        assert!((fit.at(32.0) / 3072.0 - 1.0).abs() < 1e-10);
    }

    #[test]
    fn a_flat_law_has_exponent_zero() {
        let fit = power_law(&[1.0, 2.0, 3.0], &[7.0; 3], 0.9).expect("a fit");
        assert_eq!((fit.exponent.estimate, fit.r_squared), (0.0, 1.0));
    }
}
