//! The standard normal distribution.
//!
//! statrs's erfc is right to 1e-10 in relative terms out to its underflow (checked against mpmath), its
//! inverse to double precision.

use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::SQRT_2;

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

/// The z with P(Z ≤ z) = p, for p inside (0, 1).
pub(crate) fn quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_and_probability_are_inverse() {
        for p in [1e-12, 1e-3, 0.025, 0.3, 0.5, 0.8, 0.999] {
            assert!((at_most(quantile(p)) / p - 1.0).abs() < 2e-10, "p = {p}");
        }
    }
}
