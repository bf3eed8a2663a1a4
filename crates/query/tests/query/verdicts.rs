//! The view `verdicts`: one judge, whatever is asked of it and by whom.

use std::collections::BTreeMap;

use crate::common::{Fixture, assert_near, floats, sample, texts, trial};
use benchbook_query::{Answer, Session};
use benchbook_record::{CheckRow, Phase, RunRow, RunWriter, to_parquet};
use serde_json::json;

const REPLICATES: i64 = 6;
const BLOCKS: i64 = 5;
/// Blocks vary a little within a process: nanoseconds of ten million.
const JITTER_NS: [i64; 5] = [0, 300, -200, 100, -200];

/// t = 3.0 with 5 degrees of freedom, where replicates lie 0.1 above and below: p = 0.03.
const WEAK: f64 = 0.134;
/// t = 0.3: p = 0.8.
const NOTHING: f64 = 0.0134;
/// t = 45.
const STRONG: f64 = 2.0;

/// An implementation and its build.
type Side = (&'static str, Option<&'static str>);

/// Writes a run: in each case and cell the first side takes 10 ms, the second is faster by `log_ratio(case, cell,
/// replicate)`; cases have as many replicates as given.
fn write(
    fixture: &Fixture,
    run: &RunRow,
    cells: &[[Side; 2]],
    replicates: &[i64],
    log_ratio: impl Fn(usize, usize, i64) -> f64,
) -> String {
    let mut writer = RunWriter::create(&fixture.store, run).unwrap();
    let (mut number, mut block) = (0, 0);
    for (case, count) in replicates.iter().enumerate() {
        for replicate in 0..*count {
            for (cell, sides) in cells.iter().enumerate() {
                let faster = (1e7 / log_ratio(case, cell, replicate).exp()).round() as i64;
                for ((name, build), time) in sides.iter().zip([10_000_000, faster]) {
                    side(&mut writer, number, (name, *build), case, replicate);
                    for (index, jitter) in (0..BLOCKS).zip(JITTER_NS) {
                        let jitter = if time == faster { jitter } else { 0 };
                        writer.sample(&sample(number, index, block + index, time + jitter)).unwrap();
                    }
                    number += 1;
                }
                block += BLOCKS;
            }
        }
    }
    let run_id = writer.run_id().to_owned();
    writer.finish(to_parquet).unwrap();
    run_id
}

fn side(writer: &mut RunWriter, number: i64, (name, build): (&str, Option<&str>), case: usize, replicate: i64) {
    let mut row = trial(number, name, &format!("case={case}"), replicate, json!({}));
    // Every trial says what built it; only where two builds are compared does the variant.
    row.build = Some(build.unwrap_or("0123abc release").to_owned());
    if let Some(build) = build {
        row.variant = format!("{}@{build}", row.variant);
    }
    writer.trial(&row).unwrap();
    for phase in [Phase::Before, Phase::After] {
        let check = CheckRow {
            trial: number,
            phase,
            output: None,
            max_abs_error: 0.0,
            max_scaled_error: 0.0,
            tolerance: 1e-5,
            passed: true,
            rows_checked: 1,
        };
        writer.check(&check).unwrap();
    }
}

const PLAIN: [[Side; 2]; 1] = [[("naive", None), ("flash", None)]];

fn tagged(tag: &str) -> RunRow {
    RunRow { tags: vec![tag.to_owned()], ..RunRow::new("test") }
}

/// Replicates `spread` above and below the mean of their case.
fn about(means: &[f64], spread: f64) -> impl Fn(usize, usize, i64) -> f64 {
    move |case, _, replicate| means[case] + if replicate % 2 == 0 { spread } else { -spread }
}

/// A run of flash over naive with these means.
fn suite(fixture: &Fixture, tag: &str, means: &[f64], spread: f64) -> String {
    write(fixture, &tagged(tag), &PLAIN, &vec![REPLICATES; means.len()], about(means, spread))
}

fn named(session: &Session, name: &str, run: &str) -> Answer {
    let given = BTreeMap::from([("run".to_owned(), run.to_owned())]);
    session.named(name, &given).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn view(session: &Session, condition: &str) -> Answer {
    let sql = format!("SELECT * FROM verdicts WHERE {condition} ORDER BY first_trial, baseline, candidate");
    session.sql(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn words(answer: &Answer) -> Vec<(String, String)> {
    let of = |name| texts(answer, name).into_iter().map(Option::unwrap);
    of("verdict").zip(of("reason")).collect()
}

fn word(verdict: &str, reason: &str) -> (String, String) {
    (verdict.to_owned(), reason.to_owned())
}

#[test]
fn the_answer_does_not_depend_on_how_one_asks() {
    let fixture = Fixture::new();
    suite(&fixture, "other", &[STRONG; 9], 0.1);
    let run = suite(&fixture, "many", &[WEAK, NOTHING, -NOTHING, STRONG], 0.1);
    let session = fixture.session();
    let of_run = format!("run_id = '{run}' AND baseline_implementation = 'naive'");
    let whole = view(&session, &of_run);
    let speedup = named(&session, "speedup", "many");
    assert_eq!(words(&whole), words(&speedup));
    assert_eq!(words(&whole)[0], word("undecided", "fdr"));
    assert_eq!(words(&whole)[3], word("faster", "direction-excludes-one"));
    let names = ["speedup", "low", "high", "q_value", "minimum_detectable_effect", "unseen_share"];
    for name in names {
        assert_eq!(floats(&whole, name), floats(&speedup, name), "{name}");
    }
    assert_eq!(floats(&whole, "q_value"), floats(&named(&session, "evidence", "many"), "q_value"));
    // One row of the family has the verdict that it has among all, by whatever it is chosen.
    for condition in ["case_name = 'case=0'", "candidate = 'flash/flex/f32/2t' AND case_name = 'case=0'"] {
        let one = view(&session, &format!("{of_run} AND {condition}"));
        assert_eq!(
            (words(&one), floats(&one, "q_value")),
            (vec![words(&whole)[0].clone()], vec![floats(&whole, "q_value")[0]])
        );
    }
    let all = view(&session, "true");
    assert_eq!(all.rows(), 2 * (9 + 4));
    let turned = view(&session, &format!("run_id = '{run}' AND baseline = 'flash/flex/f32/2t'"));
    assert_eq!(words(&turned)[3], word("slower", "direction-excludes-one"));
    assert_near(floats(&turned, "q_value")[3].unwrap(), floats(&whole, "q_value")[3].unwrap(), "turned");
}

#[test]
fn equivalent_is_corrected_over_the_suite_and_says_what_it_cannot_see() {
    let fixture = Fixture::new();
    // The equivalence interval alone reaches 2.015 · 0.0097 / √5 = 0.0087 to either side, within ln 1.01: p = 0.035.
    suite(&fixture, "alone", &[0.0], 0.0097);
    suite(&fixture, "lost", &[0.0, STRONG, -STRONG, STRONG], 0.0097);
    suite(&fixture, "sure", &[0.0, STRONG, -STRONG, STRONG], 0.001);
    let many = vec![22];
    write(&fixture, &tagged("seen"), &PLAIN, &many, about(&[0.0], 0.001));
    let session = fixture.session();
    let alone = named(&session, "speedup", "alone");
    assert_eq!(words(&alone), [word("equivalent", "size-within-margin")]);
    assert_eq!(texts(&alone, "said"), [Some("equivalent in the processes seen".to_owned())]);
    assert_near(floats(&alone, "unseen_share")[0].unwrap(), 1.0 - 0.05_f64.powf(1.0 / 6.0), "unseen");
    assert_eq!(words(&named(&session, "speedup", "lost"))[0], word("undecided", "fdr"));
    assert_eq!(words(&named(&session, "speedup", "sure"))[0], word("equivalent", "size-within-margin"));
    let seen = named(&session, "speedup", "seen");
    assert_eq!(texts(&seen, "said"), [Some("equivalent".to_owned())]);
    assert!((0.12..0.13).contains(&floats(&seen, "unseen_share")[0].unwrap()));
}

#[test]
fn fewer_than_five_processes_decide_nothing_and_enter_no_family() {
    let fixture = Fixture::new();
    let means = [WEAK, STRONG, STRONG];
    // What one process and four show is far from 1, and by their own blocks beyond doubt.
    write(&fixture, &tagged("few"), &PLAIN, &[REPLICATES, 1, 4], about(&means, 0.1));
    let session = fixture.session();
    let answer = named(&session, "speedup", "few");
    assert_eq!(
        words(&answer),
        [
            word("faster", "direction-excludes-one"),
            word("undecided", "few-replicates"),
            word("undecided", "few-replicates")
        ]
    );
    let (low, q) = (floats(&answer, "low"), floats(&answer, "q_value"));
    assert!(low.iter().all(|low| low.is_some()), "the interval is shown: {low:?}");
    let p = floats(&view(&session, "baseline_implementation = 'naive'"), "p_value");
    assert_eq!((p[0], p[1], p[2]), (q[0], None, None));
    let scopes = texts(&answer, "scope");
    assert_eq!(scopes[1].as_deref(), Some("within-one-process"));
    assert_eq!(scopes[2].as_deref(), Some("too-few-replicates"));
}

#[test]
fn what_equal_programs_usually_differ_by_is_no_verdict_anywhere() {
    let means = [0.02, 0.5];
    let quiet = Fixture::new();
    suite(&quiet, "measured", &means, 0.002);
    assert_eq!(words(&named(&quiet.session(), "speedup", "measured"))[0], word("faster", "direction-excludes-one"));

    let noisy = Fixture::new();
    suite(&noisy, "measured", &means, 0.002);
    // Ten verdicts on equal programs, each of them wrong by 3 %.
    let calibration = RunRow::new("calibration");
    write(&noisy, &calibration, &[[("plain", None), ("extra", None)]], &[50], |_, _, replicate| {
        let sign = |number: i64| if number % 2 == 0 { 1.0 } else { -1.0 };
        0.03 * sign(replicate / 5) + 0.002 * sign(replicate)
    });
    let session = noisy.session();
    let doubted = [word("undecided", "noisy-machine"), word("faster", "direction-excludes-one")];
    assert_eq!(words(&named(&session, "speedup", "measured")), doubted);
    assert_eq!(words(&view(&session, "baseline_implementation = 'naive'")), doubted);
    let rules = named(&session, "rules", "measured");
    let why = texts(&rules, "why");
    assert!(why[0].as_deref().unwrap().starts_with("no win to claim: undecided"), "{why:?}");
    // Another machine is not doubted for it.
    let elsewhere = RunRow { cpu_model: Some("another".to_owned()), ..tagged("elsewhere") };
    write(&noisy, &elsewhere, &PLAIN, &[REPLICATES; 2], about(&means, 0.002));
    let answer = named(&noisy.session(), "speedup", "elsewhere");
    assert_eq!(words(&answer)[0], word("faster", "direction-excludes-one"));
}

#[test]
fn all_comparisons_of_two_builds_are_one_family() {
    let fixture = Fixture::new();
    let cells = [[("x", Some("a")), ("x", Some("b"))], [("y", Some("a")), ("y", Some("b"))]];
    let run = write(&fixture, &tagged("builds"), &cells, &[REPLICATES], |_, cell, replicate| {
        let mean = if cell == 0 { WEAK } else { NOTHING };
        mean + if replicate % 2 == 0 { 0.1 } else { -0.1 }
    });
    let session = fixture.session();
    let answer = view(&session, &format!("run_id = '{run}' AND baseline_build = 'a' AND candidate_build = 'b'"));
    assert_eq!(texts(&answer, "candidate"), ["x/flex/f32/2t@b", "y/flex/f32/2t@b"].map(|name| Some(name.to_owned())));
    // 0.03 of two is 0.06.
    assert_eq!(words(&answer)[0], word("undecided", "fdr"));
    assert_near(floats(&answer, "q_value")[0].unwrap(), 2.0 * floats(&answer, "p_value")[0].unwrap(), "q");
    // A family of builds is no part of what is asked by variant, and the answer is the same.
    let one = view(&session, "baseline = 'x/flex/f32/2t@a'");
    assert_eq!(words(&one), words(&answer)[..1]);
}

#[test]
fn all_comparisons_of_two_runs_are_one_family() {
    let fixture = Fixture::new();
    // t = 2.5 with 10 degrees of freedom, where replicates of both runs lie 0.1 above and below: p = 0.03.
    let weak = 0.158;
    let of = |tag: &str, means: &[f64]| suite(&fixture, tag, means, 0.1);
    let alone = [of("alone-before", &[0.0]), of("alone-after", &[weak])];
    let many = [of("many-before", &[0.0; 4]), of("many-after", &[weak, NOTHING, -NOTHING, STRONG])];
    let session = fixture.session();
    let told = |[baseline, candidate]: &[String; 2]| {
        let given = [("baseline", baseline), ("candidate", candidate)];
        let given = given.map(|(name, run)| (name.to_owned(), run.clone()));
        let answer = session.named("sequential", &BTreeMap::from(given)).unwrap();
        let said = texts(&answer, "verdict").into_iter().zip(texts(&answer, "reason"));
        let rows = texts(&answer, "variant").into_iter().zip(said.zip(floats(&answer, "q_value")));
        // The other variant takes the same time throughout, which tells nothing.
        let varies = |variant: Option<String>| variant.is_some_and(|name| name.starts_with("flash"));
        rows.filter_map(|(variant, row)| varies(variant).then_some(row)).collect::<Vec<_>>()
    };
    let (one, all) = (told(&alone), told(&many));
    let row = |verdict: &str, reason: Option<&str>| (Some(verdict.to_owned()), reason.map(str::to_owned));
    assert_eq!((one.len(), &one[0].0), (1, &row("faster", None)));
    let (weak, nothing) = (row("undecided", Some("fdr")), row("undecided", None));
    let wanted = [weak, nothing.clone(), nothing, row("faster", None)];
    assert_eq!(all.iter().map(|row| row.0.clone()).collect::<Vec<_>>(), wanted);
    // The second of four by its p-value.
    assert_near(all[0].1.unwrap(), 2.0 * one[0].1.unwrap(), "q");
}

#[test]
fn a_condition_on_run_and_baseline_reaches_the_samples() {
    let fixture = Fixture::new();
    suite(&fixture, "other", &[STRONG], 0.1);
    let run = suite(&fixture, "asked", &[STRONG], 0.1);
    let session = fixture.session();
    let sql = format!(
        "EXPLAIN SELECT verdict FROM verdicts WHERE run_id = '{run}' \
         AND (baseline = 'naive' OR baseline_implementation = 'naive')"
    );
    let answer = session.sql(&sql).unwrap();
    let plan = texts(&answer, "plan").into_iter().flatten().collect::<Vec<_>>();
    let (logical, physical) = (&plan[0], &plan[1]);
    // Two sides of a pair, of builds and without: four scans of samples, each of the run's file alone.
    assert_eq!(physical.matches("samples.parquet").count(), physical.matches(&format!("{run}/samples")).count());
    assert!(physical.contains("samples.parquet"), "{physical}");
    // Where no build is compared, the baseline is chosen before anything is aggregated.
    let below = logical.split("Aggregate:").nth(1).unwrap();
    assert!(below.contains("f.implementation = "), "{logical}");
}

#[test]
fn the_view_is_listed_and_its_inner_function_is_nobody_elses() {
    let session = Fixture::new().session();
    assert_eq!(view(&session, "true").rows(), 0);
    let tables = session.sql("SELECT table_name FROM information_schema.tables").unwrap();
    assert!(texts(&tables, "table_name").contains(&Some("verdicts".to_owned())));
    let error = session.sql("SELECT usual_difference('x', 1.0)").unwrap_err().to_string();
    assert!(error.contains("no function `usual_difference`"), "{error}");
    let error = session.sql("SELECT suite_verdict(1, 2) OVER ()").unwrap_err().to_string();
    assert!(error.contains("takes what paired_summary gives"), "{error}");
}

#[test]
fn names_of_old_still_answer() {
    let fixture = Fixture::new();
    suite(&fixture, "alone", &[WEAK], 0.1);
    let session = fixture.session();
    let whole = view(&session, "true");
    for (old, new) in [("size_low", "equivalence_low"), ("size_high", "equivalence_high")] {
        assert!(floats(&whole, new).iter().all(Option::is_some), "{new}");
        assert_eq!(floats(&whole, old), floats(&whole, new), "{old}");
        let of = |name: &str| format!("paired_summary(log_ratio, replicate)['{name}']");
        let both = session.sql(&format!("SELECT {} AS old, {} AS new FROM pairs", of(old), of(new))).unwrap();
        assert_eq!(floats(&both, "old"), floats(&both, "new"), "{old}");
    }
    session.sql("SELECT size_low, size_high FROM metric_verdicts").unwrap();
}
