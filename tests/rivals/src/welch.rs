//! Welch's t test from mean and standard deviation, as a script does it.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Error, Estimate, Result};

const LEVEL: f64 = 0.95;

/// Two samples compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Welch {
    /// Mean and standard deviation of A.
    pub a: (f64, f64),
    /// Mean and standard deviation of B.
    pub b: (f64, f64),
    /// The statistic of B - A.
    pub t: f64,
    /// Welch-Satterthwaite degrees of freedom.
    pub freedom: f64,
    /// Two-sided probability of so large a statistic without a change.
    pub p: f64,
    /// Half the 95 % interval of the difference of means, in the unit of the samples.
    pub half_width: f64,
}

/// Welch's t test of `b` against `a` (Welch, "The generalization of Student's problem...", Biometrika 1947).
///
/// # Errors
/// [`Error::NoInterval`] with fewer than two values on a side, or where neither side varies.
pub fn welch(a: &[f64], b: &[f64]) -> Result<Welch> {
    let (mean_a, sd_a, square_a) = moments(a)?;
    let (mean_b, sd_b, square_b) = moments(b)?;
    let square = square_a + square_b;
    let freedom =
        square * square / (square_a * square_a / (a.len() as f64 - 1.0) + square_b * square_b / (b.len() as f64 - 1.0));
    let t = (mean_b - mean_a) / square.sqrt();
    let students = StudentsT::new(0.0, 1.0, freedom).ok().filter(|_| t.is_finite());
    let students = students.ok_or(Error::NoInterval("they do not vary, or not by finite amounts"))?;
    let half_width = students.inverse_cdf((1.0 + LEVEL) / 2.0) * square.sqrt();
    Ok(Welch { a: (mean_a, sd_a), b: (mean_b, sd_b), t, freedom, p: 2.0 * students.sf(t.abs()), half_width })
}

impl Welch {
    /// The difference of means as a share of A's mean, which is taken as known.
    ///
    /// # Errors
    /// [`Error::NoInterval`] unless A's mean is positive.
    pub fn estimate(&self) -> Result<Estimate> {
        let (base, _) = self.a;
        if base <= 0.0 {
            return Err(Error::NoInterval("the mean of A is not positive"));
        }
        let (mean_b, _) = self.b;
        let significant = self.p < 1.0 - LEVEL;
        let (ratio, half) = (mean_b / base, self.half_width / base);
        Ok(Estimate {
            ratio,
            low: ratio - half,
            high: ratio + half,
            significant,
            significant_no_threshold: significant,
        })
    }
}

/// Mean, standard deviation, and squared standard error.
fn moments(values: &[f64]) -> Result<(f64, f64, f64)> {
    if values.len() < 2 {
        return Err(Error::NoInterval("fewer than two on a side"));
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Ok((mean, variance.sqrt(), variance / n))
}
