//! Verdicts: every label, reason and scope, and the numbers behind them.

use crate::help::{cases, close, generator, normals};
use benchbook_stats::Error;
use benchbook_stats::verdict::{Label, Reason, Rules, Scope, Verdict, paired_verdict, sequential_verdict};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    blocks: Vec<(i64, f64)>,
    label: String,
    ratio: f64,
    standard_error: f64,
    minimum_detectable_effect: f64,
    low: f64,
    high: f64,
    equivalence_low: f64,
    equivalence_high: f64,
}

#[test]
fn verdicts_across_replicates_agree_with_the_fixture() {
    for c in cases::<Case>("verdict") {
        let got = paired_verdict(&c.blocks, &Rules::default()).unwrap();
        assert_eq!((got.label.text(), got.scope), (c.label.as_str(), Scope::AcrossReplicates));
        close(got.ratio, c.ratio, 1e-9, "ratio");
        for (what, got, wanted) in [
            ("standard error", got.standard_error, c.standard_error),
            ("minimum detectable effect", got.minimum_detectable_effect, c.minimum_detectable_effect),
            ("low", got.low, c.low),
            ("high", got.high, c.high),
            ("equivalence low", got.equivalence_low, c.equivalence_low),
            ("equivalence high", got.equivalence_high, c.equivalence_high),
        ] {
            close(got.unwrap(), wanted, 1e-9, what);
        }
        assert_eq!(got.blocks, c.blocks.len());
        assert_eq!(got.hierarchical.is_some(), got.replicates >= 10);
    }
}

/// Replicates with given means, each of four blocks about it.
fn replicates(means: &[f64]) -> Vec<(i64, f64)> {
    let around = |m: f64| [m - 1e-4, m + 1e-4, m - 2e-4, m + 2e-4];
    means.iter().enumerate().flat_map(|(r, m)| around(*m).map(|v| (r as i64, v))).collect()
}

fn verdict_of(means: &[f64]) -> Verdict {
    paired_verdict(&replicates(means), &Rules::default()).unwrap()
}

#[test]
fn each_label_has_its_reason() {
    for (means, label, reason) in [
        ([0.10, 0.11, 0.12, 0.09, 0.10], Label::Faster, Reason::DirectionExcludesOne),
        ([-0.10, -0.11, -0.12, -0.09, -0.10], Label::Slower, Reason::DirectionExcludesOne),
        ([0.001, -0.001, 0.002, 0.0, -0.002], Label::Equivalent, Reason::SizeWithinMargin),
        ([0.1, -0.1, 0.2, 0.0, -0.1], Label::Undecided, Reason::TooNoisy),
        ([0.0139, 0.0, -0.0042, 0.0151, 0.0052], Label::Undecided, Reason::NearMargin),
    ] {
        let verdict = verdict_of(&means);
        assert_eq!((verdict.label, verdict.reason), (label, reason), "{means:?}: {verdict:?}");
        assert!(verdict.scope.may_gate());
    }
}

#[test]
fn a_small_certain_difference_is_equivalent_rather_than_faster() {
    let verdict = verdict_of(&[0.0050, 0.0051, 0.0049, 0.0050, 0.0050]);
    assert!(verdict.low.unwrap() > 1.0);
    assert_eq!(verdict.label, Label::Equivalent);
}

#[test]
fn exchanging_the_variants_exchanges_faster_and_slower_only() {
    for means in [[0.10, 0.11, 0.12, 0.09, 0.10], [0.001, -0.001, 0.002, 0.0, -0.002], [0.1, -0.1, 0.2, 0.0, -0.1]] {
        let (here, there) = (verdict_of(&means), verdict_of(&means.map(|m| -m)));
        let turned = match here.label {
            Label::Faster => Label::Slower,
            Label::Slower => Label::Faster,
            same => same,
        };
        assert_eq!((there.label, there.reason), (turned, here.reason));
        close(there.low.unwrap() * here.high.unwrap(), 1.0, 1e-12, "bounds");
    }
}

#[test]
fn one_process_is_labelled_and_never_gates() {
    let blocks: Vec<(i64, f64)> = normals(30, &mut generator(1)).into_iter().map(|z| (0, 0.2 + 0.01 * z)).collect();
    let verdict = paired_verdict(&blocks, &Rules::default()).unwrap();
    assert_eq!((verdict.label, verdict.reason), (Label::Undecided, Reason::FewReplicates));
    assert_eq!(verdict.scope, Scope::WithinOneProcess);
    assert!(!verdict.scope.may_gate() && verdict.hierarchical.is_none());
    // The interval describes this process, and nothing of it enters a family of tests.
    assert!(verdict.low.unwrap() > 1.0);
    assert_eq!((verdict.p_value, verdict.equivalence_p), (None, None));
    assert_eq!(verdict.scope.text(), "within one process");
}

#[test]
fn two_to_four_replicates_are_too_few() {
    for count in 2..5 {
        let z = normals(20 * count, &mut generator(2));
        let blocks: Vec<(i64, f64)> = z.iter().enumerate().map(|(i, z)| ((i % count) as i64, 0.2 + 0.01 * z)).collect();
        let verdict = paired_verdict(&blocks, &Rules::default()).unwrap();
        assert_eq!((verdict.scope, verdict.replicates), (Scope::TooFewReplicates, count));
        assert_eq!((verdict.label, verdict.reason), (Label::Undecided, Reason::FewReplicates));
        assert_eq!((verdict.p_value, verdict.equivalence_p), (None, None));
        // Unpooled, one of these would have 20 / 3 - 1 degrees of freedom: pooling must add to them.
        assert!(verdict.df.unwrap() > 20.0 / 3.0 - 1.0);
    }
}

#[test]
fn data_that_say_nothing_of_their_spread_are_undecided() {
    let of = |blocks: &[(i64, f64)]| paired_verdict(blocks, &Rules::default()).unwrap();
    let four: Vec<(i64, f64)> = (0..4).map(|i| (0, 0.1 + f64::from(i) * 0.01)).collect();
    let constant: Vec<(i64, f64)> = (0..30).map(|_| (7, 0.1)).collect();
    let constant_means: Vec<(i64, f64)> = (0..30).map(|i| (i % 6, 0.1)).collect();
    for (verdict, reason) in [
        (of(&four), Reason::TooFewBlocks),
        (of(&[(0, 0.5)]), Reason::TooFewBlocks),
        (of(&constant), Reason::NoVariation),
        (of(&constant_means), Reason::NoVariation),
    ] {
        assert_eq!((verdict.label, verdict.reason), (Label::Undecided, reason));
        assert_eq!((verdict.low, verdict.equivalence_high, verdict.minimum_detectable_effect), (None, None, None));
        assert!(verdict.ratio > 1.0);
    }
}

#[test]
fn what_is_exact_needs_no_spread() {
    let of = |log_ratio: f64, replicates: i64| {
        let blocks: Vec<(i64, f64)> = (0..replicates).map(|replicate| (replicate, log_ratio)).collect();
        paired_verdict(&blocks, &Rules { exact: true, ..Rules::default() }).unwrap()
    };
    for (log_ratio, label, p_value, equivalence_p) in [
        (2.0_f64.ln(), Label::Faster, 0.0, 1.0),
        (-(2.0_f64.ln()), Label::Slower, 0.0, 1.0),
        (0.0, Label::Equivalent, 1.0, 0.0),
        (1.005_f64.ln(), Label::Equivalent, 0.0, 0.0),
        (1.02_f64.ln(), Label::Faster, 0.0, 1.0),
    ] {
        let verdict = of(log_ratio, 5);
        assert_eq!((verdict.label, verdict.scope), (label, Scope::AcrossReplicates), "{log_ratio}");
        assert_eq!((verdict.p_value, verdict.equivalence_p), (Some(p_value), Some(equivalence_p)), "{log_ratio}");
        assert_eq!((verdict.low, verdict.equivalence_high), (Some(verdict.ratio), Some(verdict.ratio)));
        assert_eq!((verdict.minimum_detectable_effect, verdict.standard_error), (Some(0.0), Some(0.0)));
        close(verdict.ratio, log_ratio.exp(), 1e-15, "ratio");
    }
    // At the margin itself neither is excluded.
    let edge = of(0.01_f64.ln_1p(), 5);
    assert_eq!((edge.label, edge.equivalence_p), (Label::Faster, Some(0.5)));
    assert!(of(0.0, 12).hierarchical.is_none(), "there is nothing to draw from");
    // Few processes are few, and values that vary are judged as all others.
    assert_eq!(of(0.5, 4).label, Label::Undecided);
    let varied = replicates(&[0.10, 0.11, 0.12, 0.09, 0.10]);
    let exact = paired_verdict(&varied, &Rules { exact: true, ..Rules::default() }).unwrap();
    assert_eq!(exact, paired_verdict(&varied, &Rules::default()).unwrap());
}

#[test]
fn replicates_count_alike_whatever_their_blocks() {
    let mut blocks = replicates(&[0.10, 0.11, 0.12, 0.09, 0.10]);
    blocks.extend((0..100).map(|_| (0, 0.10)));
    close(paired_verdict(&blocks, &Rules::default()).unwrap().ratio.ln(), 0.104, 1e-9, "mean of means");
}

#[test]
fn runs_one_after_the_other_are_never_equivalent() {
    let times =
        |mean: f64, seed| -> Vec<f64> { normals(200, &mut generator(seed)).iter().map(|z| mean + 0.01 * z).collect() };
    let of = |candidate: &[f64], baseline: &[f64]| sequential_verdict(candidate, baseline, &Rules::default()).unwrap();
    let same = of(&times(5.0, 1), &times(5.0, 2));
    assert_eq!((same.label, same.reason), (Label::Undecided, Reason::SequentialNeverEquivalent));
    let faster = of(&times(4.0, 1), &times(5.0, 2));
    assert_eq!((faster.label, faster.scope), (Label::Faster, Scope::Sequential));
    assert!(!faster.scope.may_gate());
    let few = of(&times(4.0, 1)[..4], &times(5.0, 2));
    assert_eq!((few.label, few.reason, few.p_value), (Label::Undecided, Reason::FewReplicates, None));
    let coarse = of(&[5.0; 9], &[6.0; 9]);
    assert_eq!((coarse.label, coarse.reason), (Label::Undecided, Reason::NoVariation));
    close(coarse.ratio, 1.2, 1e-12, "ratio");
    assert!(matches!(sequential_verdict(&[1.0], &[1.0, 2.0], &Rules::default()), Err(Error::TooFew { .. })));
}

#[test]
fn codes_are_distinct_and_stable() {
    let mut codes: Vec<&str> = Reason::ALL.map(Reason::code).into();
    codes.extend(Label::ALL.map(Label::text));
    codes.extend(Scope::ALL.map(Scope::code));
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    assert_eq!(Reason::TooNoisy.to_string(), "too-noisy");
    assert_eq!(format!("{:>8}", Label::Faster), "  faster");
}
