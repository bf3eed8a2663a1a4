//! The binomial distribution: the fair coin, and any other.

use super::beta::{Point, regularized};

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
