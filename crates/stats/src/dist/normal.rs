//! The standard normal distribution, and what is approximated by it: the chi-square distribution.
//!
//! statrs's erfc is right to 1e-10 in relative terms out to its underflow (checked against mpmath), its
//! inverse to double precision.

use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::{PI, SQRT_2};

/// P(Z > z), accurate in relative terms for large z.
pub(crate) fn survival(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// P(Z ≤ z), accurate in relative terms for very negative z.
pub(crate) fn at_most(z: f64) -> f64 {
    survival(-z)
}

/// P(|Z| > |z|).
pub(crate) fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// ln P(|Z| > |z|), also where the probability is too small for a number.
pub(crate) fn ln_two_sided(z: f64) -> f64 {
    let probability = two_sided(z);
    if probability > f64::MIN_POSITIVE {
        return probability.ln();
    }
    // The first term of the asymptotic series (Abramowitz & Stegun 26.2.12): beyond z = 37 right to 1e-3.
    -0.5 * z * z - (z.abs() * (PI / 2.0).sqrt()).ln()
}

/// The z with P(Z ≤ z) = p, for p inside (0, 1).
pub(crate) fn quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

/// The x with P(χ² ≤ x) = p for p in (0, 1) and `df` ≥ 1, by the cube of Wilson & Hilferty, *The
/// Distribution of Chi-Square* (1931). At p = 0.2 it is right to 1 % from two degrees of freedom and to
/// 15 % at one: enough to inflate a variance that is not known any better.
pub(crate) fn chi_squared_quantile(p: f64, df: f64) -> f64 {
    let spread = 2.0 / (9.0 * df);
    df * (1.0 - spread + quantile(p) * spread.sqrt()).max(0.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_go_on_where_probabilities_end() {
        let step = |z: f64| ln_two_sided(z) - ln_two_sided(z + 0.01);
        assert!((ln_two_sided(2.0) - two_sided(2.0).ln()).abs() < 1e-15);
        for z in [37.0, 37.5, 37.6, 38.0, 39.0, 100.0] {
            assert!((step(z) / (0.01 * z + 0.01 / z) - 1.0).abs() < 5e-3, "z = {z}: {}", step(z));
        }
    }

    #[test]
    fn quantile_and_probability_are_inverse() {
        for p in [1e-12, 1e-3, 0.025, 0.3, 0.5, 0.8, 0.999] {
            assert!((at_most(quantile(p)) / p - 1.0).abs() < 2e-10, "p = {p}");
        }
    }

    #[test]
    fn chi_squared_agrees_with_what_is_known() {
        // Two degrees of freedom: -2 ln(1 - p). The others: scipy.stats.chi2.ppf(0.2, df).
        for (df, exact, error) in [
            (1.0, 0.064_184_754_667_301_5, 0.15),
            (2.0, -2.0 * 0.8_f64.ln(), 0.01),
            (7.0, 3.822_321_878_926_2, 0.01),
            (39.0, 31.441_027_8, 0.01),
        ] {
            let got = chi_squared_quantile(0.2, df);
            assert!((got / exact - 1.0).abs() < error, "df = {df}: {got}");
        }
    }
}
