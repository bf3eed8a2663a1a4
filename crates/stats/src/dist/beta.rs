//! The regularised incomplete beta function.
//!
//! statrs stops its continued fraction after 140 terms, which is too early beyond some ten thousand
//! degrees of freedom, takes 1 - x by subtraction and subtracts large log gammas. Here the fraction
//! runs until it converges, on x and 1 - x given apart, with a prefactor in logarithms.

use super::gamma::ln_beta;

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
}
