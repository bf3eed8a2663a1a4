//! Metrics beside the time of samples: one value a trial, paired by replicate, judged by the judge of times.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{Fixture, Numbers, add, assert_near, floats, ints, one, one_text, sample, texts, trial};
use benchbook_query::{Answer, Session};
use benchbook_record::{MeasureRow, OutcomeRow, Provenance, RunWriter, Status, StepRow, StepValueRow, Store, merge};
use serde_json::json;

const PEAK: &str = "peak_added_bytes";
pub const SIDES: [(bool, &str); 2] = [(false, "naive"), (true, "flash")];

pub fn measure(writer: &mut RunWriter, trial: i64, name: &str, value: f64, unit: &str) {
    let row = MeasureRow {
        trial,
        sample: None,
        device: None,
        name: name.into(),
        value,
        unit: unit.into(),
        provenance: Provenance::Measured,
    };
    writer.measure(&row).unwrap();
}

/// A run of naive and flash in which every trial of a case has the value `of(case, is_candidate, replicate)`, if any.
fn run(
    fixture: &Fixture,
    tag: &str,
    [cases, replicates]: [i64; 2],
    (name, unit): (&str, &str),
    of: impl Fn(i64, bool, i64) -> Option<f64>,
) -> String {
    fixture.tagged(tag, |writer| {
        let mut number = 0;
        for replicate in 0..replicates {
            for case in 0..cases {
                for (is_candidate, implementation) in SIDES {
                    add(writer, &trial(number, implementation, &format!("case={case}"), replicate, json!({})));
                    if let Some(value) = of(case, is_candidate, replicate) {
                        measure(writer, number, name, value, unit);
                    }
                    number += 1;
                }
            }
        }
    })
}

fn named(session: &Session, name: &str, pairs: &[(&str, &str)]) -> Answer {
    let given: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named(name, &given).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What is said of flash over naive by a metric, in the order of the cases.
pub fn judged(session: &Session, run_id: &str, metric: &str) -> Answer {
    named(session, "metrics", &[("run", run_id), ("metric", metric)])
}

pub fn words(answer: &Answer) -> Vec<(String, String)> {
    let of = |name| texts(answer, name).into_iter().map(Option::unwrap);
    of("verdict").zip(of("reason")).collect()
}

pub fn word(verdict: &str, reason: &str) -> (String, String) {
    (verdict.to_owned(), reason.to_owned())
}

/// A case for each answer: baseline and candidate, and in the third replicate another candidate.
const KNOWN: [(Option<f64>, Option<f64>, Option<f64>); 9] = [
    (Some(1_000.0), Some(500.0), Some(500.0)),
    (Some(700.0), Some(700.0), Some(700.0)),
    (Some(0.0), Some(0.0), Some(0.0)),
    (Some(1_000.0), Some(1_005.0), Some(1_005.0)),
    (Some(1_000.0), Some(1_020.0), Some(1_020.0)),
    (Some(0.0), Some(100.0), Some(100.0)),
    (Some(100.0), Some(100.0), Some(0.0)),
    (Some(100.0), None, None),
    (Some(f64::NAN), Some(100.0), Some(100.0)),
];

fn known(case: i64, is_candidate: bool, replicate: i64) -> Option<f64> {
    let (baseline, candidate, third) = KNOWN[usize::try_from(case).unwrap()];
    match (is_candidate, replicate) {
        (false, _) => baseline,
        (true, 2) => third,
        (true, _) => candidate,
    }
}

#[test]
fn bytes_are_judged_as_the_counts_that_they_are() {
    let fixture = Fixture::new();
    let run_id = run(&fixture, "first", [9, 5], (PEAK, "bytes"), known);
    run(&fixture, "few", [1, 4], (PEAK, "bytes"), known);
    let session = fixture.session();
    let answer = judged(&session, &run_id, PEAK);
    assert_eq!(
        words(&answer),
        [
            word("better", "direction-excludes-one"),
            word("equivalent", "size-within-margin"),
            word("equivalent", "size-within-margin"),
            word("equivalent", "size-within-margin"),
            word("worse", "direction-excludes-one"),
            word("undecided", "baseline-not-positive"),
            word("undecided", "candidate-not-positive"),
            word("undecided", "candidate-no-value"),
            word("undecided", "baseline-not-finite"),
        ]
    );
    let ratios = floats(&answer, "ratio");
    for (row, wanted) in [2.0, 1.0, 1.0, 1_000.0 / 1_005.0, 1_000.0 / 1_020.0].into_iter().enumerate() {
        assert_near(ratios[row].unwrap(), wanted, "ratio");
        for bound in ["low", "high"] {
            assert_eq!(floats(&answer, bound)[row], ratios[row], "what does not vary is exact");
        }
    }
    assert!(ratios[5..].iter().all(Option::is_none), "{ratios:?}");
    assert_eq!(ints(&answer, "replicates"), [5, 5, 5, 5, 5, 0, 0, 0, 0].map(Some));
    for (row, wanted) in [1_000.0, 700.0, 0.0].into_iter().enumerate() {
        assert_near(floats(&answer, "baseline_value")[row].unwrap(), wanted, "value");
    }
    assert_eq!(texts(&answer, "said")[1].as_deref(), Some("equivalent in the processes seen"));
    assert_eq!((texts(&answer, "unit")[0].as_deref(), floats(&answer, "margin")[0]), (Some("bytes"), Some(0.01)));

    let few = judged(&session, "few", PEAK);
    assert_eq!(words(&few), [word("undecided", "few-replicates")]);
    assert_near(floats(&few, "ratio")[0].unwrap(), 2.0, "ratio");
    assert_eq!(floats(&few, "low"), [None]);
}

#[test]
fn what_nobody_called_better_is_less_or_more() {
    let fixture = Fixture::new();
    run(&fixture, "first", [9, 5], ("fragments", "count"), known);
    let session = fixture.session();
    let answer = named(&session, "metrics", &[]);
    let verdicts: Vec<String> = texts(&answer, "verdict").into_iter().flatten().collect();
    assert_eq!(verdicts[..5], ["less", "equivalent", "equivalent", "equivalent", "more"]);
    assert_eq!(texts(&answer, "better"), vec![None; 9]);
    assert_eq!(named(&session, "metrics", &[("stated", "true")]).rows(), 0);
    assert_eq!(named(&session, "metrics", &[("metric", "fragment")]).rows(), 0);
}

#[test]
fn a_metric_of_which_more_is_better_is_turned() {
    let fixture = Fixture::new();
    let run_id = run(&fixture, "first", [1, 5], ("accuracy", "ratio"), |_, is_candidate, _| {
        Some(if is_candidate { 0.9 } else { 0.6 })
    });
    let session = fixture.session();
    let answer = judged(&session, &run_id, "accuracy");
    assert_eq!(words(&answer), [word("better", "direction-excludes-one")]);
    assert_near(floats(&answer, "ratio")[0].unwrap(), 1.5, "ratio");
    let turned = named(&session, "metrics", &[("baseline", "flash")]);
    assert_eq!(words(&turned), [word("worse", "direction-excludes-one")]);
}

/// What becomes of the trials of a side; whatever it is, its memory was measured.
type Fate = Option<Status>;

#[test]
fn trials_that_are_lost_are_lost_for_every_metric() {
    let (fine, ends) = (None, Some);
    let cases: [(&str, Fate, Fate); 6] = [
        ("a", fine, fine),
        ("b", ends(Status::Failed), fine),
        ("c", fine, ends(Status::Wrong)),
        ("d", ends(Status::Invalid), ends(Status::Invalid)),
        ("e", fine, ends(Status::Interrupted)),
        ("f", fine, ends(Status::Unsupported)),
    ];
    let fixture = Fixture::new();
    let run_id = fixture.run(|writer| {
        let mut number = 0;
        for replicate in 0..5 {
            for (case, naive, flash) in cases {
                for ((is_candidate, name), fate) in SIDES.into_iter().zip([naive, flash]) {
                    let row = trial(number, name, case, replicate, json!({}));
                    match fate {
                        None | Some(Status::Invalid) => add(writer, &row),
                        Some(_) => writer.trial(&row).unwrap(),
                    }
                    let status = fate.unwrap_or(Status::Ok);
                    let ended =
                        OutcomeRow { trial: Some(number), at_ns: 9, status, stop_reason: None, prepare_ns: None };
                    writer.outcome(&ended).unwrap();
                    measure(writer, number, PEAK, if is_candidate { 10.0 } else { 20.0 }, "bytes");
                    measure(writer, number, "perplexity", if is_candidate { 8.0 } else { 7.0 }, "ratio");
                    number += 1;
                }
            }
        }
    });
    let session = fixture.session();
    for (metric, verdict) in [(PEAK, "better"), ("perplexity", "worse")] {
        let answer = judged(&session, &run_id, metric);
        // What a variant says it cannot do is not lost: nobody asked it to.
        assert_eq!(
            words(&answer),
            [
                word(verdict, "direction-excludes-one"),
                word("undecided", "baseline-failed"),
                word("undecided", "candidate-wrong"),
                word("undecided", "baseline-invalid, candidate-invalid"),
                word("undecided", "candidate-not-begun"),
            ],
            "{metric}"
        );
        assert!(floats(&answer, "ratio")[1..].iter().all(Option::is_none), "{metric}");
    }
    let lost = session.sql("SELECT DISTINCT lost FROM metric_values WHERE lost IS NOT NULL ORDER BY 1").unwrap();
    let lost: Vec<String> = texts(&lost, "lost").into_iter().flatten().collect();
    assert_eq!(lost, ["failed", "invalid", "not-begun", "unsupported", "wrong"]);
    assert_eq!(one(&session, "SELECT count(*) FROM metric_pairs WHERE case_name <> 'a'"), Some(0.0));
}

/// About normal, with a standard deviation of 1: the sum of twelve uniform numbers.
fn normal(numbers: &mut Numbers) -> f64 {
    (0..12).map(|_| numbers.next(0, 1_000_000) as f64 / 1e6).sum::<f64>() - 6.0
}

#[test]
fn the_interval_of_one_value_a_replicate_covers_its_truth() {
    let (cases, replicates) = (400, 8);
    let fixture = Fixture::new();
    let mut numbers = Numbers::new(11);
    // What a process is like moves both sides; the truth is that flash has e^-0.1 of what naive has.
    let shared: Vec<f64> = (0..cases * replicates).map(|_| 0.3 * normal(&mut numbers)).collect();
    let own: Vec<f64> = (0..2 * cases * replicates).map(|_| 0.05 * normal(&mut numbers)).collect();
    let run_id =
        run(&fixture, "first", [cases, replicates], ("perplexity", "ratio"), |case, is_candidate, replicate| {
            let place = usize::try_from(replicate * cases + case).unwrap();
            let mean = if is_candidate { 2.9 } else { 3.0 };
            Some((mean + shared[place] + own[2 * place + usize::from(is_candidate)]).exp())
        });
    let answer = judged(&fixture.session(), &run_id, "perplexity");
    assert_eq!(answer.rows() as i64, cases);
    let bounds = floats(&answer, "low").into_iter().zip(floats(&answer, "high"));
    let truth = 0.1_f64.exp();
    let covered = bounds.filter(|(low, high)| (low.unwrap()..=high.unwrap()).contains(&truth)).count();
    let share = covered as f64 / cases as f64;
    // Four standard deviations of a binomial share.
    let bound = 4.0 * (0.95 * 0.05 / cases as f64).sqrt();
    assert!((share - 0.95).abs() <= bound, "{share} of 0.95 ± {bound}");
}

#[test]
fn each_metric_is_a_family_of_its_own() {
    // t = 3.0 with 5 degrees of freedom: p = 0.03, and of five comparisons 0.15.
    let weak = |replicate: i64| 0.134 + if replicate % 2 == 0 { 0.1 } else { -0.1 };
    let fixture = Fixture::new();
    let run_id = fixture.run(|writer| {
        let mut number = 0;
        for replicate in 0..6 {
            for case in 0..4 {
                for (is_candidate, name) in SIDES {
                    add(writer, &trial(number, name, &format!("case={case}"), replicate, json!({})));
                    let log_ratio: f64 = if is_candidate { weak(replicate) } else { 0.0 };
                    if case == 0 {
                        measure(writer, number, "perplexity", 9.0 / log_ratio.exp(), "ratio");
                    }
                    measure(writer, number, "relative_error", 9.0 * (log_ratio / 10.0).exp(), "ratio");
                    number += 1;
                }
            }
        }
    });
    let session = fixture.session();
    let answer = judged(&session, &run_id, "perplexity");
    assert_eq!(words(&answer)[0], word("better", "direction-excludes-one"));
    let p = "SELECT p_value FROM metric_verdicts WHERE metric = 'perplexity' AND case_name = 'case=0' \
             AND baseline_implementation = 'naive'";
    assert_near(floats(&answer, "q_value")[0].unwrap(), one(&session, p).unwrap(), "q");
    assert_eq!(answer.rows(), 4, "cases without a value are told");
    assert!(words(&answer)[1..].iter().all(|row| *row == word("undecided", "baseline-no-value, candidate-no-value")));
    // A margin of 10 % holds what one of 1 % would not.
    let errors = judged(&session, &run_id, "relative_error");
    assert_eq!(words(&errors), vec![word("equivalent", "size-within-margin"); 4]);
    // Whoever asks for one of them gets what stands among all.
    assert_eq!(named(&session, "metrics", &[("run", &run_id)]).rows(), 8);
}

#[test]
fn a_margin_is_stated_by_the_metric_and_may_be_another() {
    let fixture = Fixture::new();
    let run_id = run(&fixture, "first", [5, 5], (PEAK, "bytes"), known);
    let mut session = fixture.session();
    let verdicts = |session: &Session| -> Vec<String> {
        texts(&judged(session, &run_id, PEAK), "verdict").into_iter().flatten().collect()
    };
    assert_eq!(verdicts(&session)[3..], ["equivalent", "worse"]);
    session.set_margin(PEAK, 0.001).unwrap();
    assert_eq!(verdicts(&session)[3..], ["worse", "worse"]);
    session.set_margin(PEAK, 0.05).unwrap();
    assert_eq!(verdicts(&session)[3..], ["equivalent", "equivalent"]);
    assert_eq!(floats(&judged(&session, &run_id, PEAK), "margin"), [Some(0.05); 5]);
    let refused = |metric: &str, margin: f64| {
        let mut session = fixture.session();
        session.set_margin(metric, margin).unwrap_err().to_string()
    };
    assert!(refused("time", 0.02).contains("that of time is 1 %"));
    assert!(refused(PEAK, 0.0).contains("a share above 0") && refused(PEAK, f64::NAN).contains("a share above 0"));

    // In SQL the columns beside the log ratio say it, or the arguments after the level.
    let session = fixture.session();
    let of = |call: &str| {
        let sql =
            format!("SELECT {call} FROM metric_pairs WHERE case_name = 'case=4' AND baseline_implementation = 'naive'");
        one_text(&session, &sql).unwrap()
    };
    assert_eq!(of("paired_verdict(log_ratio, replicate)"), "slower");
    assert_eq!(of("paired_verdict(log_ratio, replicate, 0.95, block, pilot, 0.05, true)"), "equivalent");
    assert_eq!(of("paired_reason(log_ratio, replicate, 0.95, block, pilot, 0.05, false)"), "no-variation");
}

#[test]
fn what_training_tells_has_its_better_side() {
    let fixture = Fixture::new();
    let metrics = [("compressed_bytes", "better"), ("compression_ratio", "worse"), ("fragmentation_share", "better")];
    let runs = metrics.map(|(name, _)| {
        run(&fixture, name, [1, 5], (name, "1"), |_, is_candidate, _| Some(if is_candidate { 1.0 } else { 2.0 }))
    });
    let session = fixture.session();
    for (run_id, (name, verdict)) in runs.iter().zip(metrics) {
        assert_eq!(words(&judged(&session, run_id, name)), [word(verdict, "direction-excludes-one")], "{name}");
    }
}

/// The steps of three samples of a trial, the last of them invalid: ten follow the first, each of `unit_ns`, the tenth
/// of twice that; the loss falls as 6 / (1 + rate · step), or is lost.
fn steps(writer: &mut RunWriter, trial: i64, unit_ns: i64, loss: impl Fn(i64) -> f64) {
    for number in 0..3 {
        let is_valid = number < 2;
        // Two trials in turn share their blocks.
        let mut row = sample(trial, number, 10 * (trial / 2) + number, 25 * unit_ns);
        (row.started_ns, row.valid) = (1_000_000 * number, is_valid);
        row.invalid_reason = (!is_valid).then_some("throttled");
        writer.sample(&row).unwrap();
        let mut at = row.started_ns + unit_ns;
        for step in 0..=10 {
            let units = match step {
                0 => 9,
                10 => 2,
                _ => 1,
            };
            let elapsed_ns = if is_valid { units * unit_ns } else { 7 };
            let row = StepRow { trial, sample: number, step, started_ns: at, elapsed_ns, tokens: Some(1) };
            writer.step(&row).unwrap();
            at += elapsed_ns;
            let value = if is_valid { loss(step) } else { -1.0 };
            let value = StepValueRow { trial, sample: number, step, name: "loss".into(), value, unit: "nats".into() };
            writer.step_value(&value).unwrap();
        }
    }
}

/// Naive steps take 1 µs and a little more in each replicate, those of flash half of that; in one replicate the loss of
/// flash may be lost.
pub fn stepped(fixture: &Fixture, tag: &str, lost: Option<i64>) -> String {
    fixture.tagged(tag, |writer| {
        let mut number = 0;
        for replicate in 0..5 {
            for (is_candidate, name) in SIDES {
                add(writer, &trial(number, name, "a", replicate, json!({})));
                measure(writer, number, "loss_threshold", 2.0, "nats");
                measure(writer, number, "epoch_steps", 20.0, "count");
                let (unit_ns, rate) = if is_candidate { (500, 1.0) } else { (1_000 + replicate, 0.5) };
                let is_lost = is_candidate && lost == Some(replicate);
                steps(
                    writer,
                    number,
                    unit_ns,
                    |step| if is_lost { f64::NAN } else { 6.0 / (1.0 + rate * step as f64) },
                );
                number += 1;
            }
        }
    })
}

#[test]
fn steps_have_a_value_for_each_aggregate() {
    let fixture = Fixture::new();
    let run_id = stepped(&fixture, "first", None);
    let session = fixture.session();
    let of = |trial: i64, metric: &str| {
        one(&session, &format!("SELECT value FROM metric_values WHERE trial = {trial} AND metric = '{metric}'"))
            .unwrap()
    };
    // Replicate 0: the first step begins one unit after its sample and takes nine.
    for (metric, naive, flash) in [
        ("time_to_first_step", 10_000.0, 5_000.0),
        ("step_time", 1_000.0, 500.0),
        // Two of twenty steps take twice as long.
        ("step_time_p99", 2_000.0, 1_000.0),
        ("epoch_time", 20_000.0, 10_000.0),
        // Eleven tokens in twenty units.
        ("tokens_per_second", 11e9 / 20_000.0, 11e9 / 10_000.0),
        ("time_to_first_token", 10_000.0, 5_000.0),
        ("inter_token_latency", 1_000.0, 500.0),
        ("inter_token_latency_p99", 2_000.0, 1_000.0),
        ("inter_token_spread", 2.0, 2.0),
        ("loss_last", 1.0, 6.0 / 11.0),
        // 6 / (1 + 0.5 · 4) is 2 at the fifth step, and 6 / (1 + 2) at the third.
        ("steps_to_loss", 5.0, 3.0),
    ] {
        assert_near(of(0, metric), naive, metric);
        assert_near(of(1, metric), flash, metric);
    }
    let losses = (0..=10).map(|step| 6.0 / (1.0 + 0.5 * f64::from(step))).sum::<f64>();
    assert_near(of(0, "loss_mean"), losses / 11.0, "loss_mean");

    for (metric, verdict, ratio) in [
        ("time_to_first_step", "faster", 2.004),
        ("step_time", "faster", 2.004),
        ("step_time_p99", "faster", 2.004),
        ("tokens_per_second", "better", 2.004),
        ("loss_last", "better", 11.0 / 6.0),
        ("steps_to_loss", "better", 5.0 / 3.0),
    ] {
        let answer = judged(&session, &run_id, metric);
        assert_eq!(words(&answer), [word(verdict, "direction-excludes-one")], "{metric}");
        assert!((floats(&answer, "ratio")[0].unwrap() / ratio - 1.0).abs() < 1e-5, "{metric}");
    }
    let answer = named(&session, "steps", &[]);
    assert_eq!((answer.rows(), ints(&answer, "replicates")), (2, vec![Some(5); 2]));
    assert_near(floats(&answer, "step_ns")[1].unwrap(), 500.0, "median step");
    assert_near(floats(&answer, "first_step_ns")[1].unwrap(), 5_000.0, "first step");
    assert_near(floats(&answer, "step_p99_ns")[1].unwrap(), 1_000.0, "p99");
    assert_near(floats(&answer, "steps_per_second")[1].unwrap(), 2e6, "steps");
    assert_near(floats(&answer, "tokens_per_second")[1].unwrap(), 1.1e6, "tokens");
    assert!(floats(&answer, "step_low_ns")[0].is_some_and(|low| (1_000.0..1_002.0).contains(&low)));
}

#[test]
fn times_that_do_not_vary_are_a_coarse_clock_in_steps_too() {
    let fixture = Fixture::new();
    let run_id = run(&fixture, "first", [1, 5], ("compile_time", "ns"), |_, is_candidate, _| {
        Some(if is_candidate { 1e6 } else { 2e6 })
    });
    let answer = judged(&fixture.session(), &run_id, "compile_time");
    assert_eq!(words(&answer), [word("undecided", "no-variation")]);
}

#[test]
fn what_was_never_reached_is_not_left_to_those_that_went_well() {
    let fixture = Fixture::new();
    let run_id = stepped(&fixture, "first", Some(3));
    let session = fixture.session();
    assert_eq!(words(&judged(&session, &run_id, "steps_to_loss")), [word("undecided", "candidate-not-reached")]);
    assert_eq!(words(&judged(&session, &run_id, "loss_last")), [word("undecided", "candidate-not-finite")]);
    // How fast the steps were has nothing to do with it.
    assert_eq!(texts(&judged(&session, &run_id, "step_time"), "verdict"), [Some("faster".to_owned())]);
}

#[test]
fn pairs_and_verdicts_are_of_time_as_they_were() {
    let fixture = Fixture::new();
    run(&fixture, "first", [2, 5], (PEAK, "bytes"), known);
    let run_id = stepped(&fixture, "second", None);
    let session = fixture.session();
    for view in ["pairs", "verdicts"] {
        let answer = session.sql(&format!("SELECT * FROM {view}")).unwrap();
        assert_eq!(answer.schema.fields().last().map(|field| field.name().as_str()), Some("metric"), "{view}");
        let metrics = texts(&answer, "metric");
        assert!(!metrics.is_empty() && metrics.iter().all(|metric| metric.as_deref() == Some("time")), "{view}");
    }
    let speedup = named(&session, "speedup", &[("run", &run_id)]);
    assert_eq!(texts(&speedup, "verdict"), [Some("faster".to_owned())]);
    assert!(speedup.schema.column_with_name("metric").is_none());
    let tables = session.sql("SELECT table_name FROM information_schema.tables").unwrap();
    let tables: Vec<String> = texts(&tables, "table_name").into_iter().flatten().collect();
    for name in ["steps", "step_values", "metric_values", "metric_pairs", "metric_verdicts"] {
        assert!(tables.iter().any(|known| known == name), "{name}: {tables:?}");
    }
}

#[test]
fn a_store_of_two_versions_has_the_metrics_of_both() {
    let fixture = Fixture::new();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/demo");
    merge(&Store::local(demo).unwrap(), &fixture.store).unwrap();
    let run_id = stepped(&fixture, "today", None);
    let session = fixture.session();
    assert_eq!(one(&session, "SELECT count(DISTINCT run_id) FROM steps"), Some(1.0));
    assert_eq!(one(&session, "SELECT count(*) FROM steps"), Some(330.0));
    let today = format!("SELECT count(*) FROM metric_values WHERE run_id = '{run_id}' AND metric = 'step_time'");
    assert_eq!(one(&session, &today), Some(10.0));
    let before = "SELECT count(*) FROM metric_verdicts WHERE metric = 'peak_added_bytes' AND ratio IS NOT NULL";
    assert!(one(&session, before).unwrap() > 0.0, "version 1 has measured memory");
    assert_eq!(named(&session, "steps", &[("run", "demo")]).rows(), 0);
}
