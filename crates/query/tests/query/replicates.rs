//! Replicates are the unit: what an interval covers, and how far the plan of a run widens it.

use std::collections::BTreeMap;

use crate::common::{Fixture, add, assert_near, floats, ints, one, one_text, sample, texts, trial};
use benchbook_query::{Answer, Session};
use benchbook_record::{RunRow, RunWriter, to_parquet};
use benchbook_stats::simulate::{Model, Noise, Simulator};
use benchbook_stats::{geometric_mean, mean_interval, median, replicate_interval};
use serde_json::json;

/// The true median of every simulated case, in nanoseconds.
const TRUTH_NS: f64 = 1e9;

fn named(session: &Session, name: &str, pairs: &[(&str, &str)]) -> Answer {
    let given: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    session.named(name, &given).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Writes a trial with one sample a time.
fn times(writer: &mut RunWriter, number: i64, case: &str, replicate: i64, size: i64, times_ns: &[f64]) {
    add(writer, &trial(number, "naive", case, replicate, json!({"seq_q": {"int": size}})));
    for (index, time) in (0..).zip(times_ns) {
        writer.sample(&sample(number, index, 1_000 * number + index, time.round() as i64)).unwrap();
    }
}

/// The share of rows whose interval holds the truth.
fn coverage(answer: &Answer, low: &str, high: &str) -> f64 {
    let (lows, highs) = (floats(answer, low), floats(answer, high));
    let held = |(low, high): (&Option<f64>, &Option<f64>)| (low.unwrap()..=high.unwrap()).contains(&TRUTH_NS);
    lows.iter().zip(&highs).filter(|row| held(*row)).count() as f64 / lows.len() as f64
}

#[test]
fn the_interval_of_a_summary_covers_where_processes_differ() {
    const CASES: u64 = 400;
    // Processes differ by 3 %, samples within one by 1 %.
    let model = Model {
        effect: TRUTH_NS.ln(),
        process: 0.03,
        block: 0.01,
        noise: Noise::Normal,
        autocorrelation: 0.0,
        drift: 0.0,
        slope: 0.0,
    };
    let fixture = Fixture::new();
    fixture.run(|writer| {
        let mut number = 0;
        for case in 0..CASES {
            let mut simulator = Simulator::new(&model, 12, case).unwrap();
            for replicate in 0..6 {
                let times_ns: Vec<f64> = simulator.replicate(20).into_iter().map(f64::exp).collect();
                times(writer, number, &format!("case={case}"), replicate, 1, &times_ns);
                number += 1;
            }
        }
    });
    let session = fixture.session();
    // Four standard deviations of a share of 400 at 95 %.
    let bound = 4.0 * (0.95_f64 * 0.05 / CASES as f64).sqrt();
    let summary = named(&session, "summary", &[]);
    let got = coverage(&summary, "median_low_ns", "median_high_ns");
    assert!((got - 0.95).abs() <= bound, "{got}");
    let sql = "SELECT case_name, median_ci_low(time_ns) AS low, median_ci_high(time_ns) AS high FROM results \
               WHERE valid GROUP BY case_name";
    let pooled = coverage(&session.sql(sql).unwrap(), "low", "high");
    assert!(pooled < 0.75, "{pooled}");
}

#[test]
fn each_replicate_counts_once_whatever_its_samples() {
    let session = Fixture::new().session();
    let medians = [3.0, 5.0, 4.0, 4.5, 3.5];
    let rows: Vec<String> = (0..)
        .zip(medians)
        // A replicate of many samples weighs no more than one of few.
        .flat_map(|(replicate, median)| {
            let n = 1 + 2 * replicate;
            (0..n).map(move |index| (replicate, median * (1.0 + f64::from(index - replicate) / 50.0)))
        })
        .map(|(replicate, x)| format!("(CAST({x:?} AS DOUBLE), {replicate})"))
        .collect();
    let table = format!("(VALUES {}) AS t(x, r)", rows.join(", "));
    let got = |call: &str| one(&session, &format!("SELECT {call} FROM {table}"));
    assert_near(got("replicate_median(x, r)").unwrap(), geometric_mean(&medians).unwrap(), "median");
    for level in [0.95, 0.8] {
        let wanted = replicate_interval(&medians, level).unwrap();
        assert_near(got(&format!("replicate_low(x, r, {level})")).unwrap(), wanted.low, "low");
        assert_near(got(&format!("replicate_high(x, r, {level})")).unwrap(), wanted.high, "high");
    }
    assert_eq!(
        (got("replicate_summary(x, r)['replicates']"), got("replicate_summary(x, r)['n']")),
        (Some(5.0), Some(25.0))
    );
    let few = format!("(SELECT * FROM {table} WHERE r < 4)");
    let of_few = |call: &str| format!("SELECT {call} FROM {few}");
    assert_near(
        one(&session, &of_few("replicate_median(x, r)")).unwrap(),
        geometric_mean(&medians[..4]).unwrap(),
        "median of four",
    );
    assert_eq!(one(&session, &of_few("replicate_low(x, r)")), None);
    assert_eq!(one_text(&session, &of_few("replicate_reason(x, r)")).as_deref(), Some("too-few"));
}

/// A run in which the time of replicate r grows with the power 2 + r / 10 of the size.
fn sweep(fixture: &Fixture, tag: &str, replicates: i64) {
    fixture.tagged(tag, |writer| {
        for replicate in 0..replicates {
            // The last replicate was cut short: it lacks a size, and bends the line of its own.
            for (place, size) in (0..).zip(if replicate == 5 { vec![64, 256] } else { vec![64, 128, 256] }) {
                let time = 1e4 * (size as f64).powf(2.0 + replicate as f64 / 10.0);
                times(writer, 3 * replicate + place, &format!("s{size}"), replicate, size, &[time; 3]);
            }
        }
    });
}

#[test]
fn an_exponent_is_fitted_in_each_replicate() {
    let fixture = Fixture::new();
    sweep(&fixture, "five", 5);
    sweep(&fixture, "cut", 6);
    sweep(&fixture, "few", 4);
    let session = fixture.session();
    let wanted = mean_interval(&[2.0, 2.1, 2.2, 2.3, 2.4], 0.95).unwrap();
    for run in ["five", "cut"] {
        let scaling = named(&session, "scaling", &[("run", run)]);
        assert_eq!(scaling.rows(), 3);
        let first = |name: &str| floats(&scaling, name)[0].unwrap();
        for (name, wanted) in
            [("exponent", wanted.estimate), ("exponent_low", wanted.low), ("exponent_high", wanted.high)]
        {
            assert!((first(name) - wanted).abs() < 1e-6, "{run} {name}: {}", first(name));
        }
    }
    let few = named(&session, "scaling", &[("run", "few")]);
    assert!((floats(&few, "exponent")[0].unwrap() - 2.15).abs() < 1e-6);
    assert_eq!((floats(&few, "exponent_low")[0], floats(&few, "low_ns")[0]), (None, None));
    assert_eq!(ints(&few, "replicates"), [Some(4); 3]);
}

#[test]
fn lines_cross_in_each_replicate_by_itself() {
    let fixture = Fixture::new();
    let sizes = [64, 128, 256, 512, 1024, 2048];
    fixture.run(|writer| {
        let mut number = 0;
        for replicate in 0..6 {
            // The last replicate was cut short, and would cross elsewhere.
            let sizes = if replicate == 5 { &sizes[..5] } else { &sizes[..] };
            let slope = if replicate == 5 { 100.0 } else { 300.0 + 10.0 * replicate as f64 };
            for size in sizes {
                let x = *size as f64;
                // Twice and half as long as the least by turns, and half in the end.
                let wave = if [64, 256].contains(size) { 2e3 * x } else { 500.0 * x };
                let lines = [("square", 1e3 * x * x), ("line", 1e3 * slope * x), ("least", 1e3 * x), ("wave", wave)];
                for (name, time) in lines {
                    let params = json!({"seq_q": {"int": size}, "seq_kv": {"int": size}, "heads": {"int": 8}});
                    add(writer, &trial(number, name, &format!("s{size}"), replicate, params));
                    writer.sample(&sample(number, 0, number, time.round() as i64)).unwrap();
                    number += 1;
                }
            }
        }
    });
    let session = fixture.session();
    let of = |candidate: &str, baseline: &str| {
        let names = [("x", "seq_q"), ("candidate", candidate), ("baseline", baseline)];
        named(&session, "crossover", &names)
    };
    let answer = of("attention line/%", "%square/%");
    assert_eq!(texts(&answer, "candidate"), [Some("attention line/flex/f32/2t heads=8".to_owned())]);
    let wanted = replicate_interval(&[300.0, 310.0, 320.0, 330.0, 340.0], 0.95).unwrap();
    for (name, wanted) in [("crossover", wanted.estimate), ("low", wanted.low), ("high", wanted.high)] {
        let found = floats(&answer, name)[0].unwrap();
        assert!((found / wanted - 1.0).abs() < 1e-6, "{name}: {found} for {wanted}");
    }
    assert_eq!((ints(&answer, "lengths"), ints(&answer, "replicates")), (vec![Some(6)], vec![Some(5)]));
    let again = floats(&of("%wave%", "%least%"), "crossover")[0].unwrap();
    assert!((again / (256.0 * 512.0_f64).sqrt() - 1.0).abs() < 1e-6, "the last of two: {again}");
    for (candidate, baseline, reason) in [
        ("%square%", "%line%", "not faster at the longest"),
        ("%least%", "%line%", "faster at every length"),
        ("%least%", "%wave%", "not faster at the longest"),
    ] {
        let answer = of(candidate, baseline);
        assert_eq!(texts(&answer, "reason"), [Some(reason.to_owned())]);
        assert_eq!(floats(&answer, "crossover"), [None]);
    }
    assert_eq!(of("%", "%").rows(), 12, "every pair of lines, in both orders");
}

#[test]
fn times_beside_roofs_and_exact_answers_count_replicates() {
    let fixture = Fixture::new();
    // Nine samples of a slow process beside one of each of two fast ones.
    let of_each = [vec![900.0; 9], vec![100.0], vec![100.0]];
    fixture.run(|writer| {
        for (replicate, times_ns) in (0..).zip(&of_each) {
            times(writer, replicate, "a", replicate, 1, times_ns);
        }
    });
    let medians: Vec<f64> = of_each.iter().map(|times_ns| median(times_ns).unwrap()).collect();
    let wanted = geometric_mean(&medians).unwrap();
    for query in ["summary", "roofline", "history"] {
        assert_near(floats(&named(&fixture.session(), query, &[]), "median_ns")[0].unwrap(), wanted, query);
    }
}

/// Width of the interval of a run under a plan: ten replicates, equal in every run but for the plan.
fn width(fixture: &Fixture, tag: &str, plan: Option<&str>) -> f64 {
    let row = RunRow { tags: vec![tag.to_owned()], plan: plan.map(str::to_owned), ..RunRow::new("test") };
    let mut writer = RunWriter::create(&fixture.store, &row).unwrap();
    for replicate in 0..10 {
        for (side, name) in [(0, "naive"), (1, "flash")] {
            let number = 2 * replicate + side;
            add(&mut writer, &trial(number, name, "a", replicate, json!({})));
            for index in 0..5 {
                let time = 100_000 + side * 1_000 * (replicate % 3);
                writer.sample(&sample(number, index, 5 * replicate + index, time)).unwrap();
            }
        }
    }
    writer.finish(to_parquet).unwrap();
    let speedup = named(&fixture.session(), "speedup", &[("run", tag)]);
    floats(&speedup, "high")[0].unwrap() / floats(&speedup, "low")[0].unwrap()
}

#[test]
fn a_plan_that_cannot_be_read_narrows_no_interval() {
    const CASES: &str = "[[cases]]\nworkload = \"attention\"\n";
    let fixture = Fixture::new();
    let of = |tag: &str, head: &str| width(&fixture, tag, Some(&format!("{head}{CASES}")));
    let (fixed, pilot) = (of("fixed", "replicates = 10\n"), of("pilot", "half_width = 0.01\n"));
    assert!(fixed < pilot, "{fixed} {pilot}");
    assert_eq!(width(&fixture, "none", None), fixed);
    // A later version knows more of plans than this one.
    assert_eq!(of("later", "half_width = 0.01\nnews = true\n"), pilot);
    assert_eq!(of("words", "half_width = \"narrow\"\n"), pilot);
    assert_eq!(of("later-fixed", "replicates = 10\nnews = true\n"), fixed);
    // Not a plan at all: as for the smallest pilot.
    assert_eq!(width(&fixture, "torn", Some("half_wid")), pilot);
    let pilots = fixture.session().sql("SELECT DISTINCT pilot FROM pairs ORDER BY pilot").unwrap();
    assert_eq!(ints(&pilots, "pilot"), [Some(8), None]);
}

#[test]
fn without_the_row_of_its_run_the_pilot_is_the_smallest() {
    let fixture = Fixture::new();
    let intact = width(&fixture, "intact", None);
    let run_id = texts(&fixture.session().sql("SELECT run_id FROM runs").unwrap(), "run_id").remove(0).unwrap();
    let path = fixture.file(&run_id, "runs.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let session = fixture.session();
    let hurt = named(&session, "speedup", &[("run", &run_id)]);
    assert!(floats(&hurt, "high")[0].unwrap() / floats(&hurt, "low")[0].unwrap() > intact);
    assert_eq!(one(&session, "SELECT min(pilot) FROM pairs"), Some(8.0));
}
