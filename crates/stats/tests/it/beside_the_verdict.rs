//! What stands beside a verdict: p-values, intervals at other levels, proportions and categories.

use crate::help::{cases, close};
use benchbook_stats::verdict::{Rules, paired_verdict};
use benchbook_stats::{Category, Error, category, clopper_pearson, false_coverage_level, student_interval};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Proportion {
    successes: u64,
    trials: u64,
    level: f64,
    low: f64,
    high: f64,
}

#[test]
fn proportions_agree() {
    for c in cases::<Proportion>("clopper_pearson") {
        let got = clopper_pearson(c.successes, c.trials, c.level).unwrap();
        let what = format!("{} of {} at {}", c.successes, c.trials, c.level);
        close(got.low, c.low, 1e-9, &format!("low, {what}"));
        close(got.high, c.high, 1e-9, &format!("high, {what}"));
        assert_eq!(got.estimate, c.successes as f64 / c.trials as f64);
        assert!(got.contains(got.estimate));
    }
}

#[derive(Deserialize)]
struct Direction {
    means: Vec<f64>,
    p: f64,
    low_99: f64,
    high_99: f64,
}

#[test]
fn the_direction_has_students_p_value_and_can_be_drawn_at_another_level() {
    for c in cases::<Direction>("direction") {
        let blocks: Vec<(i64, f64)> = (0..).zip(&c.means).map(|(r, m)| (r, *m)).collect();
        let verdict = paired_verdict(&blocks, &Rules::default()).unwrap();
        let p = verdict.p_value.unwrap();
        close(p, c.p, 1e-6, "p");
        // The interval excludes 1 exactly where p is below 1 less its level.
        assert_eq!(p < 0.05, verdict.low.unwrap() > 1.0 || verdict.high.unwrap() < 1.0);
        let (error, df) = (verdict.standard_error.unwrap(), verdict.df.unwrap());
        let again = student_interval(verdict.ratio.ln(), error, df, 0.99).unwrap();
        // Bounds near zero are differences: their error is measured against the width.
        let width = c.high_99 - c.low_99;
        assert!((again.low - c.low_99).abs() < 1e-9 * width && (again.high - c.high_99).abs() < 1e-9 * width);
    }
}

#[test]
fn a_verdict_without_a_spread_has_no_p_value_and_an_error_too_small_one_of_zero() {
    let of = |blocks: &[(i64, f64)]| paired_verdict(blocks, &Rules::default()).unwrap().p_value;
    assert_eq!(of(&[(0, 0.1)]), None);
    assert_eq!(of(&[(0, 0.1), (1, 0.1), (2, 0.1), (3, 0.1), (4, 0.1)]), None);
    let sure: Vec<(i64, f64)> = (0..40).map(|r| (r, 0.5 + 1e-15 * r as f64)).collect();
    assert!(of(&sure).unwrap() < 1e-300);
}

#[test]
fn a_planned_number_of_replicates_widens_as_its_pilot_needs() {
    let blocks: Vec<(i64, f64)> = (0..16).map(|r| (r, 0.01 * (r as f64).sin())).collect();
    let of = |pilot| paired_verdict(&blocks, &Rules { pilot, ..Rules::default() });
    let (fixed, planned) = (of(None).unwrap(), of(Some(8)).unwrap());
    // 1 + 2 × 7 / (5 × 16), on the variance.
    close(planned.standard_error.unwrap() / fixed.standard_error.unwrap(), 1.175_f64.sqrt(), 1e-12, "widening");
    assert_eq!((planned.ratio, planned.df), (fixed.ratio, fixed.df));
    assert!(
        planned.p_value > fixed.p_value && planned.low < fixed.low && planned.equivalence_high > fixed.equivalence_high
    );
    assert!(matches!(of(Some(4)), Err(Error::OutOfRange { what: "pilot", .. })));
}

#[test]
fn what_is_selected_is_drawn_wider() {
    assert_eq!(false_coverage_level(100, 100, 0.05), Ok(0.95));
    close(false_coverage_level(3, 60, 0.1).unwrap(), 0.995, 1e-15, "3 of 60");
    assert_eq!(false_coverage_level(0, 9, 0.05), Err(Error::TooFew { needed: 1, got: 0 }));
    for (selected, tests, rate) in [(10, 9, 0.05), (1, 9, 0.0), (1, 9, 1.0), (1, 9, f64::NAN), (1, usize::MAX, 0.01)] {
        assert!(matches!(false_coverage_level(selected, tests, rate), Err(Error::OutOfRange { .. })), "{selected}");
    }
}

#[test]
fn speedups_fall_into_categories() {
    for (ratio, name) in [
        (f64::MAX, "excellent"),
        (1.500_001, "excellent"),
        (1.5, "good"),
        (1.2, "good"),
        (1.199_999, "measured"),
        (1.0, "measured"),
        (0.999_999, "investigate"),
        (f64::MIN_POSITIVE, "investigate"),
    ] {
        assert_eq!(category(ratio).map(Category::text), Ok(name), "{ratio}");
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(category(bad), Err(Error::OutOfRange { what: "ratio", .. })), "{bad}");
    }
}

#[test]
fn bad_proportions_and_errors_are_named() {
    assert_eq!(clopper_pearson(0, 0, 0.95), Err(Error::TooFew { needed: 1, got: 0 }));
    assert!(matches!(clopper_pearson(3, 2, 0.95), Err(Error::OutOfRange { what: "successes", .. })));
    assert!(matches!(clopper_pearson(3, u64::MAX, 0.95), Err(Error::OutOfRange { what: "trials", .. })));
    assert!(matches!(clopper_pearson(1, 2, 1.0), Err(Error::OutOfRange { what: "level", .. })));
    assert_eq!(student_interval(1.0, 0.0, 4.0, 0.95), Err(Error::Constant));
    assert_eq!(student_interval(f64::NAN, 1.0, 4.0, 0.95), Err(Error::NotFinite { index: 0 }));
    assert_eq!(student_interval(1.0, 1e308, 1.0, 0.95), Err(Error::Overflow));
    for (error, df) in [(-1.0, 4.0), (f64::NAN, 4.0), (1.0, 0.0), (1.0, f64::INFINITY)] {
        assert!(matches!(student_interval(1.0, error, df, 0.95), Err(Error::OutOfRange { .. })), "{error} {df}");
    }
}

proptest! {
    #[test]
    fn proportions_stay_in_the_unit_interval_and_mirror(k in 0_u64..3000, more in 0_u64..3000, level in 1e-6..0.999_999_f64) {
        prop_assume!(k + more > 0);
        let here = clopper_pearson(k, k + more, level).unwrap();
        prop_assert!(0.0 <= here.low && here.low <= here.estimate && here.estimate <= here.high && here.high <= 1.0);
        let there = clopper_pearson(more, k + more, level).unwrap();
        prop_assert!((here.low + there.high - 1.0).abs() < 1e-12 && (here.high + there.low - 1.0).abs() < 1e-12);
    }

    #[test]
    fn intervals_from_any_estimate_are_finite(e in any::<f64>(), se in any::<f64>(), df in any::<f64>(), level in any::<f64>()) {
        if let Ok(i) = student_interval(e, se, df, level) {
            prop_assert!(i.low.is_finite() && i.high.is_finite() && i.low <= i.high);
        }
        for level in [level, 0.9] {
            if let Ok(i) = student_interval(e, se.abs(), df.abs(), level) {
                prop_assert!(i.low.is_finite() && i.high.is_finite() && i.low <= i.high);
            }
        }
        if let Ok(answer) = category(e) {
            prop_assert!(Category::ALL.contains(&answer));
        }
    }
}
