//! Standardised effect sizes of two unpaired samples.

use crate::dist::ln_gamma_ratio;
use crate::{Error, Moments, Result, check};

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
