//! The judgement of a suite: its false words by simulation, its reasons, and what few processes can have missed.

use crate::help::{binomial_bound, close, generator, normals, share};
use benchbook_stats::Error;
use benchbook_stats::verdict::{
    Judgement, Label, Member, Reason, Rules, SEEN_REPLICATES, Verdict, judge, paired_verdict, unseen_share,
};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Open01};

const REPLICATES: usize = 8;
/// The comparisons of a suite.
const SUITE: usize = 20;

fn member(verdict: &Verdict) -> Member {
    let Verdict { ratio, p_value, equivalence_p, .. } = *verdict;
    Member { ratio, p_value, equivalence_p, usual_difference: None }
}

/// Verdicts on suites of candidates whose log ratios are `effects`: replicates vary by 0.002, and by as much again
/// with the baseline that all share, if any.
fn verdicts(effects: &[f64], shared: f64, g: &mut ChaCha8Rng) -> Vec<Verdict> {
    let baseline = normals(REPLICATES, g);
    effects
        .iter()
        .map(|effect| {
            let own = normals(REPLICATES, g);
            let means = own.iter().zip(&baseline).map(|(z, b)| effect + 0.002 * z + shared * b);
            let blocks: Vec<(i64, f64)> = (0..).zip(means).collect();
            paired_verdict(&blocks, &Rules::default()).unwrap()
        })
        .collect()
}

fn judged(verdicts: &[Verdict]) -> Vec<Judgement> {
    let family: Vec<Member> = verdicts.iter().map(member).collect();
    judge(&family, &Rules::default()).unwrap()
}

fn says(judged: &[Judgement], label: Label) -> bool {
    judged.iter().any(|one| one.label == label)
}

/// A true difference of exactly the margin, either way.
fn at_the_margin() -> Vec<f64> {
    let margin = 0.01_f64.ln_1p();
    (0..SUITE).map(|i| if i % 2 == 0 { margin } else { -margin }).collect()
}

#[test]
fn a_suite_at_the_margin_holds_a_false_equivalent_once_in_twenty() {
    let trials = 10_000;
    let false_words = |shared: f64, corrected: bool| {
        share(trials, |g| {
            let alone = verdicts(&at_the_margin(), shared, g);
            match corrected {
                true => says(&judged(&alone), Label::Equivalent),
                false => alone.iter().any(|verdict| verdict.label == Label::Equivalent),
            }
        })
    };
    // Each comparison by itself errs once in twenty, so that 1 - 0.95^20 of the suites would hold a false word.
    let uncorrected = 1.0 - 0.95_f64.powi(20);
    let got = false_words(0.0, false);
    assert!((got - uncorrected).abs() <= binomial_bound(uncorrected, trials), "uncorrected: {got}");
    // Independent tests whose hypotheses all hold: the rate is 5 % itself.
    let got = false_words(0.0, true);
    assert!((got - 0.05).abs() <= binomial_bound(0.05, trials), "corrected: {got}");
    // With a baseline that all comparisons share they depend on each other, and the rate is kept.
    let got = false_words(0.002, true);
    assert!(got <= 0.05 + binomial_bound(0.05, trials), "shared baseline: {got}");
}

#[test]
fn of_what_a_mixed_suite_calls_equivalent_one_in_twenty_is_false_at_most() {
    // Half are truly equal and found so: the rate that is controlled is 5 % of the half that is not.
    let effects: Vec<f64> =
        at_the_margin().into_iter().enumerate().map(|(i, m)| if i < 10 { m } else { 0.0 }).collect();
    let trials = 4_000;
    let mut shares = 0.0;
    for seed in 0..trials {
        let judged = judged(&verdicts(&effects, 0.0, &mut generator(seed)));
        let said: Vec<usize> = (0..SUITE).filter(|i| judged[*i].label == Label::Equivalent).collect();
        shares += said.iter().filter(|i| **i < 10).count() as f64 / said.len().max(1) as f64;
    }
    let got = shares / trials as f64;
    // A share lies in [0, 1]: its variance is at most that of a coin with the same mean.
    assert!(got <= 0.025 + binomial_bound(0.025, trials), "{got}");
}

#[test]
fn a_suite_of_equal_programs_holds_a_false_direction_once_in_twenty() {
    let trials = 10_000;
    let got = share(trials, |g| {
        // Asked for directions alone: all of them are equivalent.
        let direction = |verdict: &Verdict| Member { equivalence_p: None, ..member(verdict) };
        let family: Vec<Member> = verdicts(&[0.0; SUITE], 0.0, g).iter().map(direction).collect();
        let judged = judge(&family, &Rules::default()).unwrap();
        says(&judged, Label::Faster) || says(&judged, Label::Slower)
    });
    assert!((got - 0.05).abs() <= binomial_bound(0.05, trials), "{got}");
}

fn tested(ratio: f64, p_value: f64, equivalence_p: f64) -> Member {
    Member { ratio, p_value: Some(p_value), equivalence_p: Some(equivalence_p), usual_difference: None }
}

fn words(family: &[Member]) -> Vec<(Label, Option<Reason>)> {
    judge(family, &Rules::default()).unwrap().iter().map(|one| (one.label, one.reason)).collect()
}

#[test]
fn every_word_of_a_suite_has_its_reason() {
    let noisy = Member { usual_difference: Some(0.02), ..tested(1.01, 1e-6, 0.6) };
    let large = Member { usual_difference: Some(0.02), ..tested(0.9, 1e-6, 1.0) };
    let untested = Member { ratio: 3.0, p_value: None, equivalence_p: None, usual_difference: None };
    assert_eq!(
        words(&[noisy, large, untested, tested(1.3, 1e-6, 1.0), tested(1.001, 0.5, 1e-6), tested(1.1, 0.3, 0.9)]),
        [
            (Label::Undecided, Some(Reason::NoisyMachine)),
            (Label::Slower, Some(Reason::DirectionExcludesOne)),
            (Label::Undecided, None),
            (Label::Faster, Some(Reason::DirectionExcludesOne)),
            (Label::Equivalent, Some(Reason::SizeWithinMargin)),
            (Label::Undecided, None),
        ]
    );
    // What would be said of one alone, and not of one among many.
    let (weak, close) = (tested(1.2, 0.04, 1.0), tested(1.0, 0.9, 0.04));
    assert_eq!(words(&[weak]), [(Label::Faster, Some(Reason::DirectionExcludesOne))]);
    assert_eq!(words(&[close]), [(Label::Equivalent, Some(Reason::SizeWithinMargin))]);
    let chance = (Label::Undecided, Some(Reason::FalseDiscovery));
    assert_eq!(words(&[weak, close, tested(1.0, 0.9, 0.9)])[..2], [chance, chance]);
    assert!(words(&[]).is_empty());
    assert!(matches!(judge(&[tested(1.0, 2.0, 0.5)], &Rules::default()), Err(Error::OutOfRange { .. })));
}

#[test]
fn a_comparison_without_a_test_is_no_part_of_the_family() {
    let few = paired_verdict(&[(0, 0.2), (0, 0.21), (0, 0.2), (0, 0.19), (0, 0.2)], &Rules::default()).unwrap();
    assert!(few.low.is_some() && few.p_value.is_none());
    let weak = tested(1.2, 0.04, 1.0);
    let family = [vec![weak], vec![member(&few); 30]].concat();
    let judged = judge(&family, &Rules::default()).unwrap();
    assert_eq!((judged[0].label, judged[0].q_value), (Label::Faster, Some(0.04)));
    assert!(judged[1..].iter().all(|one| one.label == Label::Undecided && one.q_value.is_none()));
}

#[test]
fn a_suite_of_one_says_what_the_comparison_says() {
    for seed in 0..300 {
        let mut g = generator(seed);
        let effect = [0.0, 0.004, 0.01][seed as usize % 3];
        let alone = verdicts(&[effect], 0.0, &mut g);
        let judged = judged(&alone);
        assert_eq!(judged[0].label, alone[0].label);
        assert_eq!((judged[0].q_value, judged[0].equivalence_q), (alone[0].p_value, alone[0].equivalence_p));
        // The two one-sided tests and the equivalence interval are the same thing.
        let inside = alone[0].equivalence_low.unwrap() >= 1.0 / 1.01 && alone[0].equivalence_high.unwrap() <= 1.01;
        assert_eq!(alone[0].equivalence_p.unwrap() <= 0.05, inside);
    }
}

#[test]
fn few_processes_say_what_they_cannot_have_seen() {
    close(unseen_share(5, 0.95).unwrap(), 0.4507, 1e-4, "5 replicates");
    close(unseen_share(SEEN_REPLICATES, 0.95).unwrap(), 0.1273, 1e-3, "22 replicates");
    assert_eq!(unseen_share(0, 0.95), Err(Error::TooFew { needed: 1, got: 0 }));
    assert!(matches!(unseen_share(5, 1.0), Err(Error::OutOfRange { .. })));
    // A slow mode of just that share is missed by all processes once in twenty; one of 10 % by five in 59 %.
    let trials = 10_000;
    let uniform = |g: &mut ChaCha8Rng| -> f64 { Open01.sample(g) };
    let missed = |replicates: usize, p: f64| share(trials, |g| (0..replicates).all(|_| uniform(g) >= p));
    for (replicates, p, wanted) in [(5, unseen_share(5, 0.95).unwrap(), 0.05), (5, 0.1, 0.9_f64.powi(5))] {
        let got = missed(replicates, p);
        assert!((got - wanted).abs() <= binomial_bound(wanted, trials), "{replicates} {p}: {got}");
    }
    assert_eq!(Label::Equivalent.said(SEEN_REPLICATES - 1), "equivalent in the processes seen");
    assert_eq!(Label::Equivalent.said(SEEN_REPLICATES), "equivalent");
    for label in [Label::Faster, Label::Slower, Label::Undecided] {
        assert_eq!(label.said(5), label.text());
    }
}
