//! Whether two neighbouring segments have one mean.

use crate::Moments;
use crate::dist::student;

/// The two-sided p-value of Student's test with the pooled variance, of two samples with at least two
/// values each. Pooled, because a segment of two values tells too little of its own variance.
pub(super) fn p_value(before: &Moments, after: &Moments) -> f64 {
    let (left, right) = (before.n as f64, after.n as f64);
    let df = left + right - 2.0;
    let variance = (before.m2 + after.m2) / df * (1.0 / left + 1.0 / right);
    let step = after.mean - before.mean;
    if step == 0.0 {
        return 1.0;
    }
    let t = step / variance.sqrt();
    if t.is_finite() { student::two_sided(t, df) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sizes_have_welchs_statistic() {
        // Of samples of one size and one variance the pooled test is Welch's, degrees of freedom included.
        let (x, y) = ([1.0, 2.0, 4.0, 8.0], [3.0, 4.0, 6.0, 10.0]);
        let (before, after) = (Moments::of(&x).expect("finite"), Moments::of(&y).expect("finite"));
        let welch = crate::welch_from(&after, &before).expect("varies");
        assert!((p_value(&before, &after) / welch.p - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_step_without_noise_is_certain() {
        let level = |v: f64| Moments::of(&[v; 3]).expect("finite");
        assert_eq!((p_value(&level(1.0), &level(1.5)), p_value(&level(2.0), &level(2.0))), (0.0, 1.0));
    }
}
