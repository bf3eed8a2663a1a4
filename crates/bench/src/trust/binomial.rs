//! The binomial distribution: its tail, and the exact interval of a share.

/// P(X ≤ k) of `n` answers each of which is so with probability `p`, term by term in logarithms.
pub fn at_most(k: usize, n: usize, p: f64) -> f64 {
    let (ln_p, ln_q) = (p.ln(), (-p).ln_1p());
    let mut ln_choose = 0.0;
    let mut sum = 0.0;
    for i in 0..=k {
        if i > 0 {
            ln_choose += ((n - i + 1) as f64 / i as f64).ln();
        }
        sum += (ln_choose + i as f64 * ln_p + (n - i) as f64 * ln_q).exp();
    }
    sum.min(1.0)
}

/// Clopper & Pearson's interval at 95 %, by bisection on the tails.
pub fn exact(hits: usize, all: usize) -> (f64, f64) {
    let low = if hits == 0 { 0.0 } else { root(|p| 1.0 - at_most(hits - 1, all, p) < 0.025) };
    let high = if hits == all { 1.0 } else { root(|p| at_most(hits, all, p) > 0.025) };
    (low, high)
}

/// The end of the part of [0, 1] that begins at 0 and where `below` holds.
fn root(below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(middle) { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_exact() {
        // SciPy: binomtest(k, n).proportion_ci(0.95, 'exact').
        for (hits, all, low, high) in
            [(0, 50, 0.0, 0.071_121_7), (10, 200, 0.024_229_1, 0.090_027_1), (40, 40, 0.911_902_7, 1.0)]
        {
            let found = exact(hits, all);
            assert!((found.0 - low).abs() < 1e-4 && (found.1 - high).abs() < 1e-4, "{hits} of {all}: {found:?}");
        }
    }
}
