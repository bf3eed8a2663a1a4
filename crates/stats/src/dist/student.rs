//! Student's t distribution.

use super::beta::{Point, ln_beta, regularized};
use super::normal;

/// P(|T| > |t|) with `df` degrees of freedom: I_x(df/2, 1/2) at x = df / (df + t²) (Abramowitz &
/// Stegun 26.7.1), accurate in relative terms for large |t|.
pub(crate) fn two_sided(t: f64, df: f64) -> f64 {
    if t == 0.0 {
        return 1.0;
    }
    // ln(1 + r²) by way of ln r where r² would overflow.
    let r = t.abs() / df.sqrt();
    let square = r * r;
    let ln_one_plus = if r < 1e8 { square.ln_1p() } else { 2.0 * r.ln() };
    let x = 1.0 / (1.0 + square);
    let y = if square.is_finite() { square / (1.0 + square) } else { 1.0 };
    regularized(df / 2.0, 0.5, Point { x, y, ln_x: -ln_one_plus, ln_y: 2.0 * r.ln() - ln_one_plus })
}

/// P(T > t) with `df` degrees of freedom.
pub(crate) fn above(t: f64, df: f64) -> f64 {
    let tail = two_sided(t, df) / 2.0;
    if t < 0.0 { 1.0 - tail } else { tail }
}

/// The t ≥ 0 with P(T > t) = `tail`, for `tail` in (0, 1/2]; infinite where it overflows.
pub(crate) fn upper_quantile(tail: f64, df: f64) -> f64 {
    if tail >= 0.5 {
        return 0.0;
    }
    // Newton on ln P against ln t: concave and falling, so it converges from the normal quantile.
    let target = (2.0 * tail).ln();
    let mut t = -normal::quantile(tail);
    for _ in 0..60 {
        let probability = two_sided(t, df);
        let slope = 2.0 * t * density(t, df) / probability;
        let step = (probability.ln() - target) / slope;
        if !step.is_finite() {
            break;
        }
        t *= step.exp();
        if step.abs() < 1e-15 {
            break;
        }
    }
    t
}

/// The multiplier of the standard error in a two-sided interval of `level`.
pub(crate) fn critical(level: f64, df: f64) -> f64 {
    upper_quantile((1.0 - level) / 2.0, df)
}

fn density(t: f64, df: f64) -> f64 {
    let r = t / df.sqrt();
    let ln_one_plus = if r < 1e8 { (r * r).ln_1p() } else { 2.0 * r.ln() };
    (-0.5 * df.ln() - ln_beta(df / 2.0, 0.5) - 0.5 * (df + 1.0) * ln_one_plus).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn one_degree_of_freedom_is_cauchy() {
        for t in [1e-9_f64, 0.3, 1.0, 4.0, 1e5, 1e90, 1e200] {
            let exact = if t > 1.0 { 2.0 / PI * (1.0 / t).atan() } else { 1.0 - 2.0 / PI * t.atan() };
            assert!((two_sided(t, 1.0) / exact - 1.0).abs() < 1e-12, "t = {t}");
        }
    }

    #[test]
    fn the_tails_on_both_sides_make_a_whole() {
        for (t, df) in [(0.0, 4.0), (1.3, 1.0), (40.0, 9.0)] {
            assert!((above(t, df) + above(-t, df) - 1.0).abs() < 1e-15, "t = {t}");
            assert!((2.0 * above(t, df) / two_sided(t, df) - 1.0).abs() < 1e-15, "t = {t}");
        }
    }

    #[test]
    fn quantile_and_probability_are_inverse() {
        for df in [1.0, 1.7, 4.0, 29.0, 999.0, 1e7] {
            for tail in [1e-12, 1e-4, 0.025, 0.1, 0.4] {
                let t = upper_quantile(tail, df);
                assert!((two_sided(t, df) / (2.0 * tail) - 1.0).abs() < 1e-10, "df = {df}, tail = {tail}");
            }
        }
    }
}
