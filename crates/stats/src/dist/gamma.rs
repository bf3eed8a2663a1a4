//! Differences of log gamma functions without the cancellation of large terms.

use statrs::function::gamma::ln_gamma;

/// Above this the Stirling series below is exact to double precision.
const LARGE: f64 = 10.0;

/// ln Γ(z) less its leading Stirling terms, for z ≥ 10: the series DLMF 5.11.1.
fn stirling_rest(z: f64) -> f64 {
    let w = 1.0 / (z * z);
    let series = 1.0 / 12.0
        - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w * (1.0 / 1188.0 - w * 691.0 / 360_360.0))));
    series / z
}

/// ln Γ(a) - ln Γ(a + b) for positive a and b.
pub(crate) fn ln_gamma_ratio(a: f64, b: f64) -> f64 {
    if a < LARGE {
        return ln_gamma(a) - ln_gamma(a + b);
    }
    stirling_rest(a) - stirling_rest(a + b) - (a - 0.5) * (b / a).ln_1p() - b * (a + b).ln() + b
}

/// ln B(a, b) for positive a and b (after DiDonato & Morris 1992, section 3).
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if small < LARGE {
        return ln_gamma(small) + ln_gamma_ratio(large, small);
    }
    let half_ln_two_pi = 0.5 * (2.0 * std::f64::consts::PI).ln();
    half_ln_two_pi + stirling_rest(small) + stirling_rest(large)
        - stirling_rest(small + large)
        - (small - 0.5) * (large / small).ln_1p()
        - (large - 0.5) * (small / large).ln_1p()
        - 0.5 * (small + large).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_the_threshold_agree() {
        for (a, b) in [(9.999_999_9, 0.5), (10.000_000_1, 0.5), (12.0, 11.0), (10.5, 200.0)] {
            let plain = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
            assert!((ln_beta(a, b) - plain).abs() < 1e-12, "a = {a}, b = {b}");
        }
    }

    #[test]
    fn integers_give_factorials() {
        // B(20, 30) = 19! 29! / 49!
        let exact: f64 = (1..=19).map(|i| f64::from(i).ln() - f64::from(i + 30).ln()).sum::<f64>() - 30_f64.ln();
        assert!((ln_beta(20.0, 30.0) - exact).abs() < 1e-13);
    }
}
