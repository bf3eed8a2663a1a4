//! How far two series go together.

use crate::hypothesis::Ranks;
use crate::serial::deviations;
use crate::{Error, Result, check};

/// Pearson's correlation coefficient of pairs, in [-1, 1] (*Regression, Heredity and Panmixia*, 1896).
///
/// # Errors
/// [`Error::UnequalLength`], [`Error::TooFew`] below two pairs, [`Error::NotFinite`], [`Error::Constant`] where one of
/// the two does not vary.
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64> {
    check::same_length(x, y)?;
    check::finite(x, 2)?;
    check::finite(y, 2)?;
    if check::all_equal(x) || check::all_equal(y) {
        return Err(Error::Constant);
    }
    let (x, y) = (deviations(x), deviations(y));
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let size = sum(&x, &x).sqrt() * sum(&y, &y).sqrt();
    // Values that vary by less than arithmetic tells have no deviations.
    if size > 0.0 { Ok((sum(&x, &y) / size).clamp(-1.0, 1.0)) } else { Err(Error::TooSmall) }
}

/// Spearman's rank correlation of pairs, in [-1, 1]: [`pearson`] of ranks, where ties share their mean rank (*The Proof
/// and Measurement of Association between Two Things*, 1904).
///
/// # Errors
/// Those of [`pearson`].
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64> {
    check::same_length(x, y)?;
    check::finite(x, 2)?;
    check::finite(y, 2)?;
    pearson(&Ranks::new(x).of, &Ranks::new(y).of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_whatever_its_scale() {
        let x = [1.0, 2.0, 4.0];
        for scale in [1e-300, 1.0, 1e300] {
            let y = x.map(|v| scale * v);
            assert!(pearson(&x, &y).is_ok_and(|r| (r - 1.0).abs() < 1e-15), "{scale}");
            assert!(pearson(&x, &y.map(|v| -v)).is_ok_and(|r| (r + 1.0).abs() < 1e-15), "{scale}");
        }
        assert!(spearman(&x, &[0.1, 50.0, 51.0]).is_ok_and(|r| (r - 1.0).abs() < 1e-15));
    }

    #[test]
    fn what_has_no_correlation_is_named() {
        assert_eq!(pearson(&[1.0, 2.0], &[3.0, 3.0]), Err(Error::Constant));
        assert_eq!(spearman(&[1.0, 1.0], &[2.0, 3.0]), Err(Error::Constant));
        assert_eq!(pearson(&[1.0], &[1.0]), Err(Error::TooFew { needed: 2, got: 1 }));
        assert_eq!(spearman(&[1.0, 2.0], &[1.0]), Err(Error::UnequalLength { left: 2, right: 1 }));
        assert_eq!(pearson(&[1.0, f64::NAN], &[1.0, 2.0]), Err(Error::NotFinite { index: 1 }));
    }
}
