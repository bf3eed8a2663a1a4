//! How large a difference is: standardised effect sizes of two unpaired samples, and speedups by name.

use crate::dist::ln_gamma_ratio;
use crate::{Error, Moments, Result, check};
use std::fmt;

/// Cohen's d: (mean of `candidate` - mean of `baseline`) over their pooled standard deviation
/// (Cohen, *Statistical Power Analysis*, 1988, section 2.2). Of times: negative says that the
/// candidate is faster.
///
/// # Errors
/// [`Error::TooFew`] below two values each, [`Error::NotFinite`], [`Error::Constant`] where neither
/// sample varies, [`Error::Overflow`].
pub fn cohens_d(candidate: &[f64], baseline: &[f64]) -> Result<f64> {
    cohens_d_from(&Moments::of(candidate)?, &Moments::of(baseline)?)
}

/// [`cohens_d`] of moments.
///
/// # Errors
/// Those of [`cohens_d`].
pub fn cohens_d_from(candidate: &Moments, baseline: &Moments) -> Result<f64> {
    let (freedom_c, freedom_b) = freedoms(candidate, baseline)?;
    let weight = freedom_c / (freedom_c + freedom_b);
    let pooled = candidate.variance()? * weight + baseline.variance()? * (1.0 - weight);
    if pooled <= 0.0 {
        return Err(Error::Constant);
    }
    check::number((candidate.mean - baseline.mean) / pooled.sqrt())
}

/// Hedges' g: Cohen's d without its bias in small samples, by the exact factor
/// Γ(ν/2) / (√(ν/2) Γ((ν-1)/2)) with ν = n₁ + n₂ - 2 (Hedges 1981, equation 6e).
///
/// # Errors
/// Those of [`cohens_d`].
pub fn hedges_g(candidate: &[f64], baseline: &[f64]) -> Result<f64> {
    hedges_g_from(&Moments::of(candidate)?, &Moments::of(baseline)?)
}

/// [`hedges_g`] of moments.
///
/// # Errors
/// Those of [`cohens_d`].
pub fn hedges_g_from(candidate: &Moments, baseline: &Moments) -> Result<f64> {
    let d = cohens_d_from(candidate, baseline)?;
    let (freedom_c, freedom_b) = freedoms(candidate, baseline)?;
    let half = (freedom_c + freedom_b) / 2.0;
    // ln Γ(half) - ln Γ(half - 1/2), taken as one difference: each term alone would lose digits.
    let factor = (-ln_gamma_ratio(half - 0.5, 0.5) - 0.5 * half.ln()).exp();
    check::number(d * factor)
}

fn freedoms(candidate: &Moments, baseline: &Moments) -> Result<(f64, f64)> {
    candidate.variance()?;
    baseline.variance()?;
    Ok(((candidate.n - 1) as f64, (baseline.n - 1) as f64))
}

/// The category of a speedup, as the field reports it beside a verdict: it says nothing of certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Above 1.5×.
    Excellent,
    /// From 1.2× to 1.5×.
    Good,
    /// From 1.0× to 1.2×.
    Measured,
    /// Below 1.0×: slower than the baseline.
    Investigate,
}

impl Category {
    /// Every category, from the best.
    pub const ALL: [Self; 4] = [Self::Excellent, Self::Good, Self::Measured, Self::Investigate];

    /// The category as tables and queries show it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Excellent => "excellent",
            Self::Good => "good",
            Self::Measured => "measured",
            Self::Investigate => "investigate",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The category of a ratio baseline time / candidate time. A ratio on an edge belongs to the middle
/// categories: 1.5 and 1.2 are good, 1.0 is measured.
///
/// # Errors
/// [`Error::OutOfRange`] for a ratio outside (0, ∞).
pub fn category(ratio: f64) -> Result<Category> {
    check::above_zero("ratio", ratio)?;
    Ok(match ratio {
        r if r > 1.5 => Category::Excellent,
        r if r >= 1.2 => Category::Good,
        r if r >= 1.0 => Category::Measured,
        _ => Category::Investigate,
    })
}
