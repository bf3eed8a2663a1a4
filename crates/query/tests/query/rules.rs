//! The named query `rules`: what each rule says of a candidate, and the overall verdict.

use std::collections::BTreeMap;

use crate::common::{Fixture, Numbers, add, assert_near, flags, floats, sample, texts, trial};
use crate::metrics::{measure, stepped};
use benchbook_query::{Answer, Session};
use benchbook_record::{CheckRow, MeasureRow, Phase, Provenance, RunWriter, StepValueRow};
use serde_json::json;

const REPLICATES: i64 = 6;
const BLOCKS: i64 = 5;
const MIB: f64 = 1_048_576.0;
const TOLERANCE: f64 = 1e-5;
/// How many rows stand for a candidate.
const RULES: usize = 5;

/// What flash does on a case; naive adds 10 MiB, with half the tolerance as its error.
struct Case {
    /// Mean of its log ratios; replicates lie 0.005 above and below.
    mean: f64,
    added_mib: f64,
    error: f64,
}

/// Well within the tolerance.
const RIGHT: f64 = 5e-6;

fn facts(writer: &mut RunWriter, number: i64, added_mib: f64, error: f64) {
    let measure = MeasureRow {
        trial: number,
        sample: None,
        device: None,
        name: "peak_added_bytes".into(),
        value: added_mib * MIB,
        unit: "bytes".into(),
        provenance: Provenance::Measured,
    };
    writer.measure(&measure).unwrap();
    for phase in [Phase::Before, Phase::After] {
        let check = CheckRow {
            trial: number,
            phase,
            output: None,
            max_abs_error: error,
            max_scaled_error: error,
            tolerance: TOLERANCE,
            passed: error <= TOLERANCE,
            rows_checked: 1,
        };
        writer.check(&check).unwrap();
    }
}

/// A store with one run of naive and flash on these cases.
///
/// Six replicates at mean ± 0.005 have the standard error 0.005 / √5, so that the 95 % interval of the log ratio
/// reaches 2.571 · 0.005 / √5 = 0.0057 to either side. For a mean of 0.0005 the p-value of equivalence is 0.004, and
/// 0.02 among four.
fn store(cases: &[Case]) -> Fixture {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        let (mut number, mut block) = (0, 0);
        for replicate in 0..REPLICATES {
            for (place, case) in cases.iter().enumerate() {
                let sign = if replicate % 2 == 0 { 1.0 } else { -1.0 };
                let flash = (1e7 / (case.mean + 0.005 * sign).exp()).round() as i64;
                let sides = [("naive", 10_000_000, 10.0, RIGHT), ("flash", flash, case.added_mib, case.error)];
                for (name, time, added_mib, error) in sides {
                    writer.trial(&trial(number, name, &format!("case={place}"), replicate, json!({}))).unwrap();
                    facts(writer, number, added_mib, error);
                    for index in 0..BLOCKS {
                        writer.sample(&sample(number, index, block + index, time)).unwrap();
                    }
                    number += 1;
                }
                block += BLOCKS;
            }
        }
    });
    fixture
}

fn rules(session: &Session, pairs: &[(&str, &str)]) -> Answer {
    let given: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named("rules", &given).unwrap_or_else(|error| panic!("rules: {error}"))
}

/// What a rule says of each candidate: passed, and why.
fn of(answer: &Answer, rule: &str) -> Vec<(Option<bool>, String)> {
    let (rules, passed, why) = (texts(answer, "rule"), flags(answer, "passed"), texts(answer, "why"));
    (0..answer.rows())
        .filter(|row| rules[*row].as_deref() == Some(rule))
        .map(|row| (passed[row], why[row].clone().unwrap_or_default()))
        .collect()
}

fn said(passed: Option<bool>, why: &str) -> (Option<bool>, String) {
    (passed, why.to_owned())
}

#[test]
fn every_rule_is_judged_for_every_candidate() {
    let fixture = store(&[
        Case { mean: 0.5, added_mib: 5.0, error: RIGHT },
        Case { mean: 0.1, added_mib: 20.0, error: RIGHT },
        Case { mean: 0.0005, added_mib: 20.0, error: RIGHT },
        Case { mean: -0.3, added_mib: 10.2, error: RIGHT },
        Case { mean: 0.5, added_mib: 10.0, error: f64::INFINITY },
    ]);
    let answer = rules(&fixture.session(), &[]);
    assert_eq!(answer.rows(), 5 * RULES + 1);
    let verdicts: Vec<Option<bool>> = of(&answer, "speedup").into_iter().map(|(passed, _)| passed).collect();
    assert_eq!(verdicts, [Some(true), Some(false), Some(false), Some(false), None]);
    let values = floats(&answer, "value");
    // 0.5 less 0.0057, as its ratio.
    assert!((1.635..1.645).contains(&values[0].unwrap()), "{values:?}");
    assert!(of(&answer, "speedup")[0].1.starts_with("a win: faster, at least 1.6"));
    assert_eq!(
        of(&answer, "category"),
        [
            said(Some(true), "excellent: faster"),
            said(Some(true), "measured: faster"),
            said(Some(true), "measured: equivalent in the processes seen"),
            said(Some(false), "investigate: slower"),
            said(None, "nothing to compare: candidate wrong"),
        ]
    );
    assert_eq!(
        of(&answer, "memory"),
        [
            said(Some(true), "50 % less"),
            said(None, "100 % more, but faster"),
            said(Some(false), "100 % more, and not faster"),
            said(Some(true), "2 % more"),
            // A wrong kernel saves nothing.
            said(None, "not measured"),
        ]
    );
    assert!(of(&answer, "memory saved").iter().all(|(passed, _)| passed.is_none()));
    let errors = of(&answer, "error");
    assert_eq!(errors[3], said(Some(true), "0 of 12 checks failed"));
    assert_eq!(errors[4], said(Some(false), "12 of 12 checks failed"));
    // An infinite error is no number to show.
    assert_eq!(values[4 * RULES + 2], None);
    assert_eq!(values.last(), Some(&Some(2.0)));
    assert_eq!(
        of(&answer, "overall"),
        [said(Some(false), "1 wrong, 1 slower, 1 that cannot be judged, 1 with more memory (5 compared)")]
    );
    assert!(texts(&answer, "run_id").iter().all(Option::is_some));
}

#[test]
fn every_default_can_be_set() {
    let fixture = store(&[Case { mean: 0.1, added_mib: 5.0, error: RIGHT }]);
    let session = fixture.session();
    let one = |pairs: &[(&str, &str)], rule: &str| of(&rules(&session, pairs), rule).remove(0);
    assert_eq!(one(&[], "overall"), said(Some(true), "no flags"));
    assert_eq!(one(&[], "speedup").0, Some(false));
    assert_eq!(one(&[("least_speedup", "1.05")], "speedup").0, Some(true));
    assert_eq!(one(&[("good", "1.1")], "category").1, "good: faster");
    assert_eq!(one(&[("excellent", "1.1")], "category").1, "excellent: faster");
    assert_eq!(one(&[("measured", "1.15")], "category"), said(Some(true), "investigate: faster"));
    let slower = [("baseline", "flash")];
    assert_eq!(one(&slower, "category"), said(Some(false), "investigate: slower"));
    assert_eq!(one(&slower, "overall"), said(Some(false), "1 slower, 1 with more memory (1 compared)"));
    let allowed = [("baseline", "flash"), ("measured", "0.8"), ("more_memory", "1.1")];
    assert_eq!(one(&allowed, "category"), said(Some(true), "measured: slower"));
    assert_eq!(one(&allowed, "memory"), said(Some(true), "100 % more"));
    assert_eq!(one(&allowed, "overall"), said(Some(true), "no flags"));
    assert_eq!(one(&[], "memory saved"), said(None, "50 % less, no saving was promised"));
    let promised = |share| [("memory_promised", "true"), ("less_memory", share)];
    assert_eq!(one(&promised("0.15"), "memory saved"), said(Some(true), "50 % less"));
    assert_eq!(one(&promised("0.6"), "memory saved").0, Some(false));
    assert_eq!(one(&promised("0.6"), "overall"), said(Some(true), "1 without the memory saved (1 compared)"));
    assert_eq!(one(&[("least_memory_bytes", "1e9")], "memory"), said(None, "too little to tell"));
    assert_eq!(one(&[("most_error", "0.1")], "error"), said(Some(false), "12 of 12 checks failed"));
    // The baseline's error counts, too.
    assert_eq!(one(&[("most_error", "0.1")], "overall"), said(Some(false), "2 wrong (1 compared)"));
}

#[test]
fn what_one_process_shows_is_no_claim() {
    let fixture = Fixture::new();
    let mut numbers = Numbers::new(9);
    fixture.run(|writer| {
        for (number, name, time) in [(0, "naive", 2_000_000), (1, "flash", 1_000_000)] {
            add(writer, &trial(number, name, "a", 0, json!({})));
            for block in 0..30 {
                writer.sample(&sample(number, block, block, numbers.next(time, 10_000))).unwrap();
            }
        }
    });
    let session = fixture.session();
    let answer = rules(&session, &[]);
    let (passed, why) = of(&answer, "speedup").remove(0);
    assert!(passed.is_none() && why.starts_with("no win to claim: undecided"), "{why}");
    assert!(why.ends_with(", within one process only"), "{why}");
    assert_eq!(of(&answer, "category").remove(0).0, None);
    assert_eq!(of(&answer, "memory"), [said(None, "not measured")]);
    assert_eq!(of(&answer, "memory saved"), [said(None, "not measured")]);
    assert_eq!(of(&answer, "overall"), [said(None, "1 undecided, 1 that cannot be judged (1 compared)")]);
    let turned = rules(&session, &[("baseline", "flash")]);
    assert_eq!(
        of(&turned, "category"),
        [said(None, "investigate: undecided, few replicates, within one process only")]
    );
}

#[test]
fn memory_of_fewer_than_five_processes_breaks_no_rule() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for replicate in 0..4 {
            for (place, (name, added_mib)) in (0..).zip([("naive", 10.0), ("flash", 30.0)]) {
                let number = 2 * replicate + place;
                writer.trial(&trial(number, name, "a", replicate, json!({}))).unwrap();
                facts(writer, number, added_mib, RIGHT);
                for index in 0..BLOCKS {
                    let block = replicate * BLOCKS + index;
                    writer.sample(&sample(number, index, block, 10_000_000 + 100 * index * place)).unwrap();
                }
            }
        }
    });
    let answer = rules(&fixture.session(), &[("memory_promised", "true")]);
    let open = said(None, "200 % more, few replicates");
    assert_eq!([of(&answer, "memory"), of(&answer, "memory saved")], [vec![open.clone()], vec![open]]);
}

#[test]
fn a_kernel_that_adds_nothing_has_no_ratio_and_keeps_the_rule() {
    let fixture = store(&[Case { mean: 0.1, added_mib: 0.0, error: RIGHT }]);
    let session = fixture.session();
    assert_eq!(of(&rules(&session, &[]), "memory"), [said(Some(true), "100 % less")]);
    let turned = rules(&session, &[("baseline", "flash")]);
    assert_eq!(of(&turned, "memory"), [said(Some(false), "the baseline added none, and not faster")]);
}

#[test]
fn what_was_never_checked_is_not_compared() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, name) in [(0, "naive"), (1, "flash")] {
            writer.trial(&trial(number, name, "a", 0, json!({}))).unwrap();
            writer.sample(&sample(number, 0, 0, 100)).unwrap();
        }
    });
    let answer = rules(&fixture.session(), &[]);
    let lost = "nothing to compare: baseline unchecked, candidate unchecked";
    assert_eq!(of(&answer, "category"), [said(None, lost)]);
    assert_eq!(of(&answer, "error"), [said(None, "never checked")]);
    assert_eq!(of(&answer, "overall"), [said(None, "2 never checked, 1 that cannot be judged (1 compared)")]);
}

#[test]
fn a_run_without_candidates_has_only_an_overall_row() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        writer.trial(&trial(0, "naive", "a", 0, json!({}))).unwrap();
        facts(writer, 0, 1.0, RIGHT);
        writer.sample(&sample(0, 0, 0, 100)).unwrap();
    });
    let answer = rules(&fixture.session(), &[]);
    assert_eq!(answer.rows(), 1);
    assert_eq!(of(&answer, "overall"), [said(None, "nothing to compare")]);
}

/// The value of a rule, of the first candidate.
fn value(answer: &Answer, rule: &str) -> f64 {
    let place = texts(answer, "rule").iter().position(|name| name.as_deref() == Some(rule));
    floats(answer, "value")[place.unwrap_or_else(|| panic!("no rule {rule}"))].unwrap()
}

#[test]
fn no_loss_in_perplexity_or_in_a_score_is_a_rule_where_they_were_measured() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for replicate in 0..5 {
            for (place, (name, perplexity, accuracy)) in (0..).zip([("naive", 10.0, 0.9), ("flash", 10.05, 0.8)]) {
                let number = 2 * replicate + place;
                add(writer, &trial(number, name, "a", replicate, json!({})));
                measure(writer, number, "perplexity", perplexity, "1");
                measure(writer, number, "accuracy", accuracy, "share");
                writer.sample(&sample(number, 0, replicate, 1_000 + replicate)).unwrap();
            }
        }
    });
    let session = fixture.session();
    let answer = rules(&session, &[]);
    assert_eq!(of(&answer, "perplexity"), [said(Some(true), "perplexity: 0.5 % worse")]);
    assert_near(value(&answer, "task score"), 1.0 - 0.8 / 0.9, "value");
    assert_eq!(of(&answer, "task score"), [said(Some(false), "accuracy: 11.1 % worse")]);
    assert!(of(&answer, "overall")[0].1.contains("1 with a worse score"), "{:?}", of(&answer, "overall"));
    assert!(of(&answer, "convergence").is_empty() && of(&answer, "exploding gradient").is_empty());
    let set = |name: &str, share: &str, rule: &str| of(&rules(&session, &[(name, share)]), rule).remove(0).0;
    assert_eq!(set("more_perplexity", "0.001", "perplexity"), Some(false));
    assert_eq!(set("less_score", "0.2", "task score"), Some(true));
    let turned = rules(&session, &[("baseline", "flash")]);
    assert_eq!(of(&turned, "task score"), [said(Some(true), "accuracy: 12.5 % better")]);
}

#[test]
fn who_converges_later_or_never_breaks_a_rule() {
    let fixture = Fixture::new();
    let (all, lost) = (stepped(&fixture, "first", None), stepped(&fixture, "second", Some(3)));
    let session = fixture.session();
    let convergence = |pairs: &[(&str, &str)]| of(&rules(&session, pairs), "convergence");
    // Three steps after five.
    let first = ("run", all.as_str());
    assert_eq!(convergence(&[first]), [said(Some(true), "steps_to_loss: 40.0 % better")]);
    let turned = [first, ("baseline", "flash")];
    assert_eq!(convergence(&turned), [said(Some(false), "steps_to_loss: 66.7 % worse")]);
    assert!(of(&rules(&session, &turned), "overall")[0].1.contains("1 that converge later"));
    assert_eq!(convergence(&[first, ("baseline", "flash"), ("more_steps", "0.7")])[0].0, Some(true));
    let never = convergence(&[("run", lost.as_str())]);
    assert_eq!(never, [said(Some(false), "steps_to_loss: candidate not reached")]);
}

#[test]
fn a_gradient_that_explodes_or_vanishes_breaks_a_rule() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, name) in [(0, "naive"), (1, "flash")] {
            add(writer, &trial(number, name, "a", 0, json!({})));
            writer.sample(&sample(number, 0, 0, 1_000)).unwrap();
            for step in 0..4 {
                let once = |at: i64| f64::from(u8::from(name == "flash" && step == at));
                let told = [("layers_exploding", once(1)), ("layers_not_finite", once(2)), ("layers_vanishing", 0.0)];
                for (name, value) in told {
                    let (name, unit) = (name.to_owned(), "count".to_owned());
                    writer.step_value(&StepValueRow { trial: number, sample: 0, step, name, value, unit }).unwrap();
                }
            }
        }
    });
    let session = fixture.session();
    let answer = rules(&session, &[]);
    assert_eq!(of(&answer, "exploding gradient"), [said(Some(false), "2 of 4 steps")]);
    assert_eq!(value(&answer, "exploding gradient"), 0.5);
    assert_eq!(of(&answer, "vanishing gradient"), [said(Some(true), "0 of 4 steps")]);
    assert!(of(&answer, "overall")[0].1.contains("1 with unhealthy gradients"));
    let allowed = rules(&session, &[("unhealthy_steps", "0.5")]);
    assert_eq!(of(&allowed, "exploding gradient")[0].0, Some(true));
    let turned = rules(&session, &[("baseline", "flash")]);
    assert_eq!(of(&turned, "exploding gradient"), [said(Some(true), "0 of 4 steps")]);
}
