//! What holds for any sample.

use benchbook_stats::verdict::{Label, Rules, paired_verdict, sequential_verdict};
use benchbook_stats::*;
use proptest::prelude::*;

/// Anything a double can be: NaN, infinities, subnormals, and plain numbers that make ties.
fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![
        2 => proptest::num::f64::ANY,
        1 => (-3_i32..4).prop_map(f64::from),
        1 => -1e3..1e3_f64,
        1 => prop_oneof![Just(f64::MAX), Just(f64::MIN), Just(f64::MIN_POSITIVE), Just(5e-324), Just(-0.0), Just(1e154)],
    ]
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        proptest::collection::vec(anything(), 0..14),
        proptest::collection::vec(0.01..100.0_f64, 0..14),
        proptest::collection::vec(0.0..f64::MAX, 0..8),
        proptest::collection::vec((1_i32..4).prop_map(f64::from), 0..14),
    ]
}

/// Times of 3 to 30 values.
fn times() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(0.5..50.0_f64, 3..30)
}

fn level() -> impl Strategy<Value = f64> {
    prop_oneof![9 => 0.01..0.999_f64, 1 => anything()]
}

fn finite(what: &str, values: &[f64]) {
    for value in values {
        assert!(value.is_finite(), "{what} gave {value}");
    }
}

fn interval(what: &str, answer: Result<Interval>) {
    if let Ok(i) = answer {
        finite(what, &[i.estimate, i.low, i.high]);
        assert!(i.low <= i.high, "{what}: {i:?}");
    }
}

fn probability(what: &str, p: f64) {
    assert!((0.0..=1.0).contains(&p), "{what} gave p = {p}");
}

fn near(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn one_sample_never_gives_nan_nor_panics(x in sample(), p in level()) {
        for value in [mean(&x), variance(&x), std_dev(&x), median(&x), quantile(&x, p), mad(&x), geometric_mean(&x)].into_iter().flatten() {
            finite("a description", &[value]);
        }
        if let Ok(fences) = tukey_fences(&x) {
            finite("fences", &[fences.low, fences.high]);
        }
        prop_assert!(outliers(&x).unwrap_or(0) <= x.len());
        interval("mean_interval", mean_interval(&x, p));
        interval("median_interval", median_interval(&x, p));
        interval("paired_ratio", paired_ratio(&x, p));
        for statistic in [Statistic::Mean, Statistic::Median] {
            interval("bca", bca(&x, statistic, p, &Resamples::seeded(60, 3)));
        }
        for (zeros, continuity) in [(Zeros::Discard, true), (Zeros::Pratt, false)] {
            for method in [Method::Auto, Method::Exact, Method::Asymptotic { continuity }] {
                if let Ok(test) = wilcoxon_signed_rank(&x, zeros, method) {
                    finite("wilcoxon", &[test.statistic]);
                    probability("wilcoxon", test.p);
                }
            }
        }
        if let Ok(adjusted) = benjamini_hochberg(&x) {
            adjusted.into_iter().for_each(|p| probability("benjamini_hochberg", p));
        }
    }

    #[test]
    fn two_samples_never_give_nan_nor_panic(x in sample(), y in sample(), p in level()) {
        if let Ok(test) = welch_t(&x, &y) {
            finite("welch", &[test.statistic, test.df]);
            probability("welch", test.p);
        }
        for method in [Method::Auto, Method::Exact, Method::Asymptotic { continuity: false }] {
            if let Ok(test) = mann_whitney(&x, &y, method) {
                finite("mann_whitney", &[test.statistic]);
                probability("mann_whitney", test.p);
            }
        }
        for value in [cohens_d(&x, &y), hedges_g(&x, &y)].into_iter().flatten() {
            finite("an effect size", &[value]);
        }
        interval("ratio_interval", ratio_interval(&x, &y, p));
        let draws = Resamples::seeded(60, 3);
        interval("bca_ratio", bca_ratio(&x, &y, Statistic::Median, p, &draws, &draws));
        let n = x.len().min(y.len());
        interval("bca_paired_ratio", bca_paired_ratio(&x[..n], &y[..n], Statistic::Mean, p, &draws));
        if let Ok(logs) = log_ratios(&x[..n], &y[..n]) {
            finite("log_ratios", &logs);
        }
        if let Ok(law) = fit::power_law(&x[..n], &y[..n], p) {
            interval("power_law", Ok(law.exponent));
            finite("power_law", &[law.coefficient, law.r_squared]);
        }
    }

    #[test]
    fn verdicts_never_give_nan_nor_panic(x in sample(), y in sample(), replicates in 1_i64..14, margin in level()) {
        let rules = Rules { margin, draws: 100, ..Rules::default() };
        let blocks: Vec<(i64, f64)> = x.iter().enumerate().map(|(i, v)| (i as i64 % replicates, *v)).collect();
        for verdict in [paired_verdict(&blocks, &rules), sequential_verdict(&x, &y, &rules)].into_iter().flatten() {
            let bounds = [verdict.low, verdict.high, verdict.equivalence_low, verdict.equivalence_high,
                verdict.minimum_detectable_effect,
                verdict.standard_error, verdict.df, verdict.p_value, verdict.equivalence_p];
            finite("a verdict", &[verdict.ratio]);
            bounds.into_iter().flatten().for_each(|b| finite("a verdict", &[b]));
            if let Some(beside) = verdict.hierarchical {
                interval("a verdict", Ok(beside));
            }
            verdict.p_value.into_iter().chain(verdict.equivalence_p).for_each(|p| probability("a verdict", p));
            prop_assert!(verdict.label == Label::Undecided || verdict.low.is_some());
        }
    }

    #[test]
    fn moments_of_parts_merge_to_those_of_the_whole(x in proptest::collection::vec(-1e6..1e6_f64, 0..60), at in 0_usize..60) {
        let (left, right) = x.split_at(at.min(x.len()));
        let whole = Moments::of(&x).unwrap();
        let mut merged: Moments = left.iter().copied().collect();
        merged.merge(&Moments::of(right).unwrap());
        prop_assert_eq!(merged.n, whole.n);
        // Differences are measured against the size of the values, which cancel.
        prop_assert!((merged.mean - whole.mean).abs() <= 1e-9);
        prop_assert!((merged.m2 - whole.m2).abs() <= 1e-9 * whole.m2.max(1.0), "{:?} {:?}", merged, whole);
    }

    #[test]
    fn intervals_move_and_stretch_with_their_sample(x in times(), shift in -100.0..100.0_f64, scale in 0.01..100.0_f64) {
        prop_assume!(x.iter().any(|v| *v != x[0]));
        let moved: Vec<f64> = x.iter().map(|v| v * scale + shift).collect();
        let draws = Resamples::seeded(100, 5);
        let pairs = [
            (mean_interval(&x, 0.9), mean_interval(&moved, 0.9)),
            (median_interval(&x, 0.7), median_interval(&moved, 0.7)),
            (bca(&x, Statistic::Mean, 0.9, &draws), bca(&moved, Statistic::Mean, 0.9, &draws)),
        ];
        for (here, there) in pairs {
            if let (Ok(here), Ok(there)) = (here, there) {
                for (a, b) in [(here.estimate, there.estimate), (here.low, there.low), (here.high, there.high)] {
                    let wanted = a * scale + shift;
                    prop_assert!((b - wanted).abs() <= 1e-7 * (a * scale).abs().max(shift.abs()).max(1.0), "{} {}", b, wanted);
                }
            }
        }
        prop_assert!((mad(&moved).unwrap() - mad(&x).unwrap() * scale).abs() <= 1e-9 * 5e3);
        prop_assert_eq!(outliers(&x).is_ok(), outliers(&moved).is_ok());
    }

    #[test]
    fn tests_and_effects_do_not_see_a_common_shift_or_scale(x in times(), y in times(), scale in 0.01..100.0_f64, shift in -50.0..50.0_f64) {
        let map = |v: &[f64]| -> Vec<f64> { v.iter().map(|v| (v + shift) * scale).collect() };
        let (here, there) = (welch_t(&x, &y).unwrap(), welch_t(&map(&x), &map(&y)).unwrap());
        prop_assert!((here.statistic - there.statistic).abs() <= 1e-7 * here.statistic.abs().max(1.0));
        prop_assert!(near(here.df, there.df, 1e-7));
        let (d, moved) = (cohens_d(&x, &y).unwrap(), cohens_d(&map(&x), &map(&y)).unwrap());
        prop_assert!((d - moved).abs() <= 1e-7 * d.abs().max(1.0));
        prop_assert!(hedges_g(&x, &y).unwrap().abs() <= d.abs());
    }

    #[test]
    fn tests_do_not_see_which_sample_comes_first(x in times(), y in times()) {
        let (one, other) = (welch_t(&x, &y).unwrap(), welch_t(&y, &x).unwrap());
        prop_assert!(near(one.statistic, -other.statistic, 1e-12) && near(one.p, other.p, 1e-9));
        let (one, other) = (mann_whitney(&x, &y, Method::Auto).unwrap(), mann_whitney(&y, &x, Method::Auto).unwrap());
        prop_assert_eq!(one.statistic + other.statistic, (x.len() * y.len()) as f64);
        prop_assert!(near(one.p, other.p, 1e-12));
        let turned: Vec<f64> = x.iter().map(|v| 20.0 - v).collect();
        let back: Vec<f64> = turned.iter().map(|v| -v).collect();
        let test = |d: &[f64]| wilcoxon_signed_rank(d, Zeros::Discard, Method::Auto).unwrap();
        prop_assert_eq!(test(&turned), test(&back));
    }

    #[test]
    fn exchanging_candidate_and_baseline_inverts_ratios(x in times(), y in times()) {
        let (one, other) = (ratio_interval(&x, &y, 0.9).unwrap(), ratio_interval(&y, &x, 0.9).unwrap());
        for (a, b) in [(one.estimate, other.estimate), (one.low, other.high), (one.high, other.low)] {
            prop_assert!(near(a * b, 1.0, 1e-9), "{} {}", a, b);
        }
    }

    #[test]
    fn adjusted_p_values_keep_their_order_and_never_fall(p in proptest::collection::vec(0.0..=1.0_f64, 1..40)) {
        let adjusted = benjamini_hochberg(&p).unwrap();
        for (i, a) in adjusted.iter().enumerate() {
            prop_assert!(*a >= p[i] && *a <= 1.0);
            for (j, b) in adjusted.iter().enumerate() {
                prop_assert!(p[i] > p[j] || a <= b, "{} {}", i, j);
            }
        }
    }

    #[test]
    fn a_higher_level_never_narrows(x in times(), low in 0.05..0.5_f64, more in 0.01..0.45_f64) {
        for of in [mean_interval, median_interval] {
            if let (Ok(inner), Ok(outer)) = (of(&x, low), of(&x, low + more)) {
                prop_assert!(outer.low <= inner.low && outer.high >= inner.high);
            }
        }
    }

    #[test]
    fn quantiles_rise_within_the_range(x in times(), p in 0.0..=1.0_f64, q in 0.0..=1.0_f64) {
        let (low, high) = (quantile(&x, p.min(q)).unwrap(), quantile(&x, p.max(q)).unwrap());
        prop_assert!(low <= high * (1.0 + 1e-12));
        prop_assert!(quantile(&x, 0.0).unwrap() <= low && high <= quantile(&x, 1.0).unwrap());
    }
}
