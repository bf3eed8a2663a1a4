//! Bad input gets the error that names it.

use benchbook_stats::verdict::{Rules, paired_verdict, sequential_verdict};
use benchbook_stats::*;

const GOOD: [f64; 8] = [1.0, 2.0, 3.0, 4.5, 6.0, 7.0, 8.0, 9.5];

/// Every function of one sample, without its value.
fn of_one(x: &[f64]) -> Vec<(&'static str, Option<Error>)> {
    let draws = Resamples::seeded(100, 1);
    vec![
        ("mean", mean(x).err()),
        ("variance", variance(x).err()),
        ("std_dev", std_dev(x).err()),
        ("median", median(x).err()),
        ("quantile", quantile(x, 0.3).err()),
        ("mad", mad(x).err()),
        ("geometric_mean", geometric_mean(x).err()),
        ("tukey_fences", tukey_fences(x).err()),
        ("outliers", outliers(x).err()),
        ("mean_interval", mean_interval(x, 0.95).err()),
        ("median_interval", median_interval(x, 0.95).err()),
        ("replicate_interval", replicate_interval(x, 0.95).err()),
        ("paired_ratio", paired_ratio(x, 0.95).err()),
        ("series_interval", series_interval(x, 0.95).err()),
        ("bca", bca(x, Statistic::Mean, 0.95, &draws).err()),
        ("wilcoxon_signed_rank", wilcoxon_signed_rank(x, Zeros::Discard, Method::Auto).err()),
        ("benjamini_hochberg", benjamini_hochberg(x).err()),
    ]
}

/// Every function of two samples, without its value.
fn of_two(x: &[f64], y: &[f64]) -> Vec<(&'static str, Option<Error>)> {
    let draws = Resamples::seeded(100, 1);
    vec![
        ("welch_t", welch_t(x, y).err()),
        ("mann_whitney", mann_whitney(x, y, Method::Auto).err()),
        ("cohens_d", cohens_d(x, y).err()),
        ("hedges_g", hedges_g(x, y).err()),
        ("ratio_interval", ratio_interval(x, y, 0.95).err()),
        ("bca_ratio", bca_ratio(x, y, Statistic::Mean, 0.95, &draws, &draws).err()),
        ("sequential_verdict", sequential_verdict(x, y, &Rules::default()).err()),
    ]
}

/// Every function of pairs, without its value.
fn of_pairs(x: &[f64], y: &[f64]) -> Vec<(&'static str, Option<Error>)> {
    vec![
        ("log_ratios", log_ratios(x, y).err()),
        ("bca_paired_ratio", bca_paired_ratio(x, y, Statistic::Mean, 0.95, &Resamples::seeded(100, 1)).err()),
        ("power_law", fit::power_law(x, y, 0.95).err()),
    ]
}

#[test]
fn nothing_is_too_few() {
    let all = of_one(&[]).into_iter().chain(of_two(&[], &GOOD)).chain(of_two(&GOOD, &[])).chain(of_pairs(&[], &[]));
    for (name, error) in all {
        assert!(matches!(error, Some(Error::TooFew { got: 0, .. })), "{name}: {error:?}");
    }
    assert_eq!(paired_verdict(&[], &Rules::default()), Err(Error::TooFew { needed: 1, got: 0 }));
}

#[test]
fn one_value_is_too_few_where_spread_is_needed() {
    let enough = [
        "mean",
        "median",
        "quantile",
        "mad",
        "geometric_mean",
        "tukey_fences",
        "outliers",
        "benjamini_hochberg",
        "wilcoxon_signed_rank",
        "mann_whitney",
        "log_ratios",
    ];
    let x = [0.5];
    for (name, error) in of_one(&x).into_iter().chain(of_two(&x, &GOOD)).chain(of_pairs(&x, &x)) {
        if enough.contains(&name) {
            assert_eq!(error, None, "{name}");
        } else {
            assert!(matches!(error, Some(Error::TooFew { got: 1, .. })), "{name}: {error:?}");
        }
    }
}

#[test]
fn values_that_are_not_finite_are_named() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut x = GOOD.map(|v| v / 10.0);
        x[2] = bad;
        let all = of_one(&x).into_iter().chain(of_two(&x, &GOOD)).chain(of_two(&GOOD, &x));
        for (name, error) in all.chain(of_pairs(&x, &GOOD)).chain(of_pairs(&GOOD, &x)) {
            assert_eq!(error, Some(Error::NotFinite { index: 2 }), "{name}");
        }
        let blocks = [(0, 0.1), (0, bad)];
        assert_eq!(paired_verdict(&blocks, &Rules::default()), Err(Error::NotFinite { index: 1 }));
    }
}

#[test]
fn constant_samples_have_no_spread_to_judge_by() {
    let x = [4.0; 8];
    assert_eq!(mean_interval(&x, 0.95), Err(Error::Constant));
    assert_eq!(paired_ratio(&x, 0.95), Err(Error::Constant));
    assert_eq!(bca(&x, Statistic::Median, 0.95, &Resamples::seeded(100, 1)), Err(Error::Constant));
    assert_eq!(wilcoxon_signed_rank(&[0.0; 8], Zeros::Pratt, Method::Auto), Err(Error::Constant));
    for (name, error) in of_two(&x, &x) {
        // A verdict answers `undecided`, with its reason.
        let wanted = if name == "sequential_verdict" { None } else { Some(Error::Constant) };
        assert_eq!(error, wanted, "{name}");
    }
    assert_eq!(fit::power_law(&x, &GOOD, 0.95), Err(Error::Constant));
    assert_eq!((variance(&x), mad(&x), outliers(&x)), (Ok(0.0), Ok(0.0), Ok(0)));
}

#[test]
fn logarithms_need_positive_values() {
    for bad in [0.0, -0.0, -3.0] {
        let mut x = GOOD;
        x[5] = bad;
        let wanted = Some(Error::NotPositive { index: 5 });
        assert_eq!(geometric_mean(&x).err(), wanted);
        for (name, error) in of_pairs(&x, &GOOD).into_iter().chain(of_pairs(&GOOD, &x)) {
            assert_eq!(error, wanted, "{name}");
        }
    }
    let below = GOOD.map(|v| -v);
    assert!(matches!(ratio_interval(&below, &GOOD, 0.9), Err(Error::MeanNotPositive { .. })));
}

#[test]
fn pairs_must_be_pairs() {
    for (name, error) in of_pairs(&GOOD, &GOOD[1..]) {
        assert_eq!(error, Some(Error::UnequalLength { left: 8, right: 7 }), "{name}");
    }
}

#[test]
fn levels_lie_strictly_inside_the_unit_interval() {
    let draws = Resamples::seeded(100, 1);
    for level in [0.0, 1.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
        for (name, error) in [
            ("mean_interval", mean_interval(&GOOD, level).err()),
            ("median_interval", median_interval(&GOOD, level).err()),
            ("median_coverage", median_coverage(8, level).err()),
            ("replicate_interval", replicate_interval(&GOOD, level).err()),
            ("paired_ratio", paired_ratio(&GOOD, level).err()),
            ("ratio_interval", ratio_interval(&GOOD, &GOOD, level).err()),
            ("power_law", fit::power_law(&GOOD, &GOOD, level).err()),
            ("bca", bca(&GOOD, Statistic::Mean, level, &draws).err()),
            ("bca_ratio", bca_ratio(&GOOD, &GOOD, Statistic::Mean, level, &draws, &draws).err()),
            ("bca_paired_ratio", bca_paired_ratio(&GOOD, &GOOD, Statistic::Mean, level, &draws).err()),
            ("verdict", paired_verdict(&[(0, 0.1)], &Rules { level, ..Rules::default() }).err()),
            ("size", paired_verdict(&[(0, 0.1)], &Rules { equivalence_level: level, ..Rules::default() }).err()),
        ] {
            assert!(matches!(error, Some(Error::OutOfRange { .. })), "{name} at {level}: {error:?}");
        }
    }
    for margin in [0.0, -0.01, f64::NAN, f64::INFINITY] {
        let answer = paired_verdict(&[(0, 0.1)], &Rules { margin, ..Rules::default() });
        assert!(matches!(answer, Err(Error::OutOfRange { what: "margin", .. })), "{margin}");
    }
}

#[test]
fn p_values_are_probabilities() {
    for bad in [-1e-9, 1.1] {
        assert!(matches!(benjamini_hochberg(&[0.5, bad]), Err(Error::OutOfRange { .. })), "{bad}");
    }
}

#[test]
fn numbers_too_large_to_square_are_an_error_not_an_infinity() {
    let x = [1e300, -1e300, 1e299];
    assert_eq!(mean_interval(&x, 0.95), Err(Error::Overflow));
    assert_eq!(welch_t(&x, &GOOD), Err(Error::Overflow));
    // Too small to square is not constant.
    let small = [1e-300, 2e-300, 3e-300];
    assert_eq!((mean_interval(&small, 0.95), variance(&small)), (Err(Error::TooSmall), Err(Error::TooSmall)));
    assert_eq!((welch_t(&small, &small), cohens_d(&small, &small)), (Err(Error::TooSmall), Err(Error::TooSmall)));
}

#[test]
fn messages_say_what_to_do() {
    let message = Error::TooFew { needed: 6, got: 2 }.to_string();
    assert_eq!(message, "needs at least 6 values, got 2: measure more");
}
