//! Welch's test against SciPy, on numbers and on samples that allow none.

use rivals::{Error, welch};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    a: Vec<f64>,
    b: Vec<f64>,
    t: f64,
    freedom: f64,
    p: f64,
    half_width: f64,
}

/// Two roads to the same closed forms differ by rounding only; quantiles are found to about ten digits.
#[test]
fn agrees_with_scipy() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/welch.json")).unwrap();
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases {
        let welch = welch(&case.a, &case.b).unwrap();
        for (ours, theirs) in
            [(welch.t, case.t), (welch.freedom, case.freedom), (welch.p, case.p), (welch.half_width, case.half_width)]
        {
            assert!((ours / theirs - 1.0).abs() < 1e-8, "{ours} is not {theirs}");
        }
    }
}

/// The interval excludes a ratio of 1 exactly where p < 0.05.
#[test]
fn estimate_agrees_with_its_interval() {
    let a = [10.0, 10.2, 9.9, 10.1, 10.0];
    for shift in [-0.5, -0.2, -0.1, 0.0, 0.1, 0.15, 0.2, 0.5] {
        let b = a.map(|value| value + shift);
        let estimate = welch(&a, &b).unwrap().estimate().unwrap();
        assert!((estimate.ratio - (1.0 + shift / 10.04)).abs() < 1e-12);
        assert_eq!(estimate.significant, estimate.low > 1.0 || estimate.high < 1.0, "{shift}");
    }
}

#[test]
fn no_interval_from_bad_samples() {
    let bad: [(&[f64], &[f64]); 4] =
        [(&[], &[1.0, 2.0]), (&[1.0], &[1.0, 2.0]), (&[1.0, 1.0], &[2.0, 2.0]), (&[1.0, f64::NAN], &[1.0, 2.0])];
    for (a, b) in bad {
        assert!(matches!(welch(a, b), Err(Error::NoInterval(_))), "{a:?} {b:?}");
    }
    let negative = welch(&[-1.0, -2.0], &[1.0, 2.0]).unwrap();
    assert!(matches!(negative.estimate(), Err(Error::NoInterval(_))));
}
