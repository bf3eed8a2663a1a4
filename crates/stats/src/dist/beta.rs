//! The regularised incomplete beta function, the gamma functions that it needs, and the binomial distribution.
//!
//! statrs stops its continued fraction after 140 terms, which is too early beyond some ten thousand
//! degrees of freedom, takes 1 - x by subtraction and subtracts large log gammas. Here the fraction
//! runs until it converges, on x and 1 - x given apart, with a prefactor in logarithms.

use statrs::function::gamma::ln_gamma;

/// Terms after which the fraction is taken as it stands: it needs about √max(a, b) of them.
const MOST_TERMS: u32 = 1_000_000;

/// A point x of the unit interval with what would be lost by computing it from x alone.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) x: f64,
    /// 1 - x.
    pub(crate) y: f64,
    pub(crate) ln_x: f64,
    pub(crate) ln_y: f64,
}

/// I_x(a, b) for positive a and b and x inside (0, 1).
pub(crate) fn regularized(a: f64, b: f64, at: Point) -> f64 {
    if at.x <= (a + 1.0) / (a + b + 2.0) {
        lower_tail(a, b, at)
    } else {
        1.0 - lower_tail(b, a, Point { x: at.y, y: at.x, ln_x: at.ln_y, ln_y: at.ln_x })
    }
}

/// x^a y^b / (a B(a, b)) times the continued fraction DLMF 8.17.22.
fn lower_tail(a: f64, b: f64, at: Point) -> f64 {
    (a * at.ln_x + b * at.ln_y - ln_beta(a, b) - a.ln()).exp() * fraction(a, b, at.x)
}

/// The fraction by the modified method of Lentz (Thompson & Barnett 1986).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for term in 1..=MOST_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let step = d * c;
        value *= step;
        if (step - 1.0).abs() <= 2.0 * f64::EPSILON {
            break;
        }
    }
    value
}

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

/// P(X ≤ k) for X ~ Binomial(n, 1/2), by I_{1/2}(n - k, k + 1) (DLMF 8.17.5).
pub(crate) fn fair_coin_at_most(k: u64, n: u64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let ln_half = -std::f64::consts::LN_2;
    regularized((n - k) as f64, (k + 1) as f64, Point { x: 0.5, y: 0.5, ln_x: ln_half, ln_y: ln_half })
}

/// How near to a certainty or an impossibility a probability is searched, in logits.
const LOGITS: (f64, f64) = (-745.0, 40.0);

/// The probability p with P(X ≥ k) = `tail` for X ~ Binomial(n, p), 1 ≤ k ≤ n, as (p, 1 - p): the root
/// of I_p(k, n - k + 1) = `tail` (DLMF 8.17.5) by bisection of the logit, so that both ends keep their
/// digits.
pub(crate) fn least_probability(k: u64, n: u64, tail: f64) -> (f64, f64) {
    let (a, b) = (k as f64, (n - k + 1) as f64);
    let at = |logit: f64| {
        let (ln_x, ln_y) = (-(-logit).exp().ln_1p(), -logit.exp().ln_1p());
        // Beyond the exponential's range ln(1 + e^-z) is -z.
        let ln_x = if ln_x.is_finite() { ln_x } else { logit };
        Point { x: ln_x.exp(), y: ln_y.exp(), ln_x, ln_y }
    };
    let (mut low, mut high) = LOGITS;
    loop {
        let middle = low.midpoint(high);
        if middle <= low || middle >= high {
            let point = at(middle);
            return (point.x, point.y);
        }
        if regularized(a, b, at(middle)) < tail {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64) -> Point {
        Point { x, y: 1.0 - x, ln_x: x.ln(), ln_y: (-x).ln_1p() }
    }

    #[test]
    fn closed_forms_hold() {
        for step in 1..100 {
            let x = f64::from(step) / 100.0;
            assert!((regularized(1.0, 1.0, at(x)) / x - 1.0).abs() < 1e-13, "uniform at {x}");
            assert!((regularized(7.0, 1.0, at(x)) / x.powi(7) - 1.0).abs() < 1e-12, "power at {x}");
            let arcsine = 2.0 / std::f64::consts::PI * x.sqrt().asin();
            assert!((regularized(0.5, 0.5, at(x)) / arcsine - 1.0).abs() < 1e-12, "arcsine at {x}");
        }
    }

    #[test]
    fn both_tails_sum_to_one() {
        for (a, b, x) in [(3.0, 8.0, 0.3), (5e6, 0.5, 0.999_999_7), (40.0, 40.0, 0.5)] {
            let swapped = Point { x: 1.0 - x, y: x, ln_x: (-x).ln_1p(), ln_y: x.ln() };
            let sum = regularized(a, b, at(x)) + regularized(b, a, swapped);
            assert!((sum - 1.0).abs() < 1e-9, "{a} {b} {x}: {sum}");
        }
    }

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

    #[test]
    fn small_counts_are_exact() {
        assert!((fair_coin_at_most(0, 10) * 1024.0 - 1.0).abs() < 1e-12);
        assert!((fair_coin_at_most(2, 10) * 1024.0 - 56.0).abs() < 1e-10);
        assert_eq!(fair_coin_at_most(10, 10), 1.0);
    }

    #[test]
    fn ten_million_throws_are_symmetric() {
        let below = fair_coin_at_most(4_999_999, 10_000_000);
        let centre = 1.0 / (std::f64::consts::PI * 5e6).sqrt();
        assert!((2.0 * below + centre - 1.0).abs() < 1e-8, "{below}");
    }
}
