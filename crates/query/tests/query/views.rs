//! The views: what is valid, how parameters become columns, which samples are paired.

use crate::common::{Fixture, add, assert_near, check, flags, floats, ints, one, sample, texts, trial};
use benchbook_record::{CheckRow, OutcomeRow, Phase, RunRow, RunWriter, Status};
use serde_json::json;

fn outcome(trial: Option<i64>, status: Status) -> OutcomeRow {
    OutcomeRow { trial, at_ns: 9, status, stop_reason: None, prepare_ns: None }
}

fn fine(writer: &mut RunWriter) {
    for (number, implementation) in [(0, "naive"), (1, "flash")] {
        add(writer, &trial(number, implementation, "a", 0, json!({"seq": {"int": 64}})));
        for block in 0..4 {
            writer.sample(&sample(number, block, block, 100 * (2 - number) + block)).unwrap();
        }
    }
}

#[test]
fn a_sample_is_valid_if_it_and_its_trial_are() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for number in 0..7 {
            writer.trial(&trial(number, "naive", "a", number, json!({}))).unwrap();
            writer.check(&check(number, Phase::Before, number != 1)).unwrap();
            writer.check(&check(number, Phase::After, number != 2)).unwrap();
            writer.sample(&sample(number, 0, number, 50)).unwrap();
        }
        for (number, status) in [(0, Status::Ok), (3, Status::Failed), (4, Status::Wrong), (6, Status::Interrupted)] {
            writer.outcome(&outcome(Some(number), status)).unwrap();
        }
        // The run's own ending spoils no trial.
        writer.outcome(&outcome(None, Status::Failed)).unwrap();
        let mut bad = sample(0, 1, 90, 50);
        bad.valid = false;
        bad.invalid_reason = Some("clock_jumped");
        writer.sample(&bad).unwrap();
        let mut empty = sample(0, 2, 91, 50);
        empty.iterations = 0;
        writer.sample(&empty).unwrap();
    });
    let session = fixture.session();
    let answer =
        session.sql("SELECT trial, sample, valid, invalid_reason, time_ns FROM results ORDER BY 1, 2").unwrap();
    let valid: Vec<bool> = flags(&answer, "valid").into_iter().map(Option::unwrap).collect();
    assert_eq!(valid, [true, false, false, false, false, false, false, true, true]);
    let reasons: Vec<Option<String>> = texts(&answer, "invalid_reason");
    let reasons: Vec<Option<&str>> = reasons.iter().map(Option::as_deref).collect();
    assert_eq!(
        reasons,
        [
            None,
            Some("clock_jumped"),
            Some("no_iterations"),
            Some("check_failed_before"),
            Some("check_failed_after"),
            Some("trial_failed"),
            Some("trial_wrong"),
            None,
            None,
        ]
    );
    let times = floats(&answer, "time_ns");
    assert_eq!((times[0], times[2]), (Some(50.0), None));
    assert_eq!(answer.left_out.sample_count(), 6);
    assert_eq!(answer.left_out.samples["clock_jumped"], 1);
    assert!(answer.left_out.to_string().starts_with("6 samples are not valid: "));
}

/// Four trials: never checked, checked before, checked on both sides, and ended without its second check.
fn half_checked(writer: &mut RunWriter) {
    for number in 0..4 {
        writer.trial(&trial(number, "naive", "a", number, json!({}))).unwrap();
        writer.sample(&sample(number, 0, number, 50)).unwrap();
    }
    for (number, phase) in [(1, Phase::Before), (2, Phase::Before), (2, Phase::After), (3, Phase::Before)] {
        writer.check(&check(number, phase, true)).unwrap();
    }
    for number in [2, 3] {
        writer.outcome(&outcome(Some(number), Status::Interrupted)).unwrap();
    }
}

#[test]
fn a_trial_without_both_checks_is_unchecked_unless_it_is_still_running() {
    let reasons = |fixture: &Fixture, run_id: &str| {
        let sql = format!("SELECT invalid_reason FROM results WHERE run_id = '{run_id}' ORDER BY trial");
        let reasons = texts(&fixture.session().sql(&sql).unwrap(), "invalid_reason");
        reasons.into_iter().map(|reason| reason.unwrap_or_default()).collect::<Vec<_>>()
    };
    let ended = ["unchecked", "unchecked", "", "unchecked"];
    let fixture = Fixture::new();
    let finished = fixture.run(half_checked);
    assert_eq!(reasons(&fixture, &finished), ended);
    // The writer is gone without a word, as after `kill -9`.
    let killed = fixture.journal(half_checked);
    assert_eq!(reasons(&fixture, &killed), ended);
    // While the writer is at work, a trial without an outcome has come to its first check alone.
    let mut writer = RunWriter::create(&fixture.store, &RunRow::new("test")).unwrap();
    half_checked(&mut writer);
    writer.flush().unwrap();
    assert_eq!(reasons(&fixture, writer.run_id()), ["unchecked", "", "", "unchecked"]);
}

#[test]
fn one_wrong_output_of_several_is_enough() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        for (number, wrong) in [(0, None), (1, Some("key_grad")), (2, Some("value_grad"))] {
            writer.trial(&trial(number, "fused", "a", number, json!({}))).unwrap();
            for phase in [Phase::Before, Phase::After] {
                for output in ["query_grad", "key_grad", "value_grad"] {
                    let passed = phase == Phase::Before || wrong != Some(output);
                    let check = CheckRow { output: Some(output.into()), ..check(number, phase, passed) };
                    writer.check(&check).unwrap();
                }
            }
            writer.sample(&sample(number, 0, number, 50)).unwrap();
        }
    });
    let session = fixture.session();
    let reasons = texts(&session.sql("SELECT invalid_reason FROM results ORDER BY trial").unwrap(), "invalid_reason");
    let wrong = Some("check_failed_after".to_owned());
    assert_eq!(reasons, [None, wrong.clone(), wrong]);
    let checks = session.named("checks", &[].into()).unwrap();
    let outputs = ["key_grad", "query_grad", "value_grad"].map(|name| Some(name.to_owned()));
    assert_eq!((checks.rows(), &texts(&checks, "output")[..3]), (18, &outputs[..]));
}

#[test]
fn left_out_counts_marks_of_samples_alone() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        fine(writer);
        let mut bad = sample(0, 4, 4, 1);
        bad.valid = false;
        writer.sample(&bad).unwrap();
    });
    let session = fixture.session();
    let answer = session.sql("SELECT count(*) FROM pairs").unwrap();
    assert_eq!(answer.left_out.samples.get("unspecified"), Some(&1));
    // Tables leave nothing out.
    assert!(session.sql("SELECT count(*) FROM samples").unwrap().left_out.is_empty());
}

#[test]
fn every_parameter_is_a_typed_column() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        add(writer, &trial(0, "naive", "a", 0, json!({"heads": {"int": 8}, "causal": {"bool": true}})));
        let others = json!({"heads": {"int": 4}, "scale": {"float": 0.5}, "kind": {"text": "x"}, "trial": {"int": 1}});
        add(writer, &trial(1, "flash", "b", 0, others));
        // As `paged-attention` was recorded once.
        add(writer, &trial(2, "paged", "c", 0, json!({"block": {"int": 16}})));
        writer.sample(&sample(0, 0, 0, 5)).unwrap();
        writer.sample(&sample(1, 0, 0, 5)).unwrap();
        writer.sample(&sample(2, 0, 0, 5)).unwrap();
    });
    let session = fixture.session();
    let answer = session.sql("SELECT * FROM results ORDER BY trial").unwrap();
    assert_eq!(ints(&answer, "heads"), [Some(8), Some(4), None]);
    assert_eq!(flags(&answer, "causal"), [Some(true), None, None]);
    assert_eq!(floats(&answer, "scale"), [None, Some(0.5), None]);
    assert_eq!(texts(&answer, "kind"), [None, Some("x".into()), None]);
    // A parameter that bears the name of a fixed column hides nothing.
    assert_eq!(ints(&answer, "param_trial"), [None, Some(1), None]);
    assert_eq!((ints(&answer, "param_block"), ints(&answer, "block")), (vec![None, None, Some(16)], vec![Some(0); 3]));
    let names: Vec<&str> = answer.schema.fields().iter().map(|field| field.name().as_str()).collect();
    let wanted = [
        "run_id",
        "started_at",
        "suite",
        "workload",
        "case_name",
        "param_block",
        "causal",
        "heads",
        "kind",
        "scale",
        "param_trial",
        "variant",
        "implementation",
        "device",
        "dtype",
        "threads",
        "build",
        "engine",
        "replicate",
        "isolation",
        "cache",
        "trial",
        "block",
        "position",
        "sample",
        "time_ns",
        "flops",
        "bytes",
        "valid",
        "invalid_reason",
    ];
    let mut sorted = (names.clone(), wanted.to_vec());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1);
    assert_eq!((names[0], names[names.len() - 1]), ("run_id", "invalid_reason"));
    assert_eq!(one(&session, "SELECT param(params, 'scale') FROM trials WHERE trial = 1"), Some(0.5));
    let others = session.sql("SELECT other_params(params, 'heads') AS p FROM trials ORDER BY trial").unwrap();
    let others = texts(&others, "p");
    assert_eq!(others.iter().flatten().collect::<Vec<_>>(), ["causal=true", "kind=x scale=0.5 trial=1", "block=16"]);
}

#[test]
fn pairs_are_all_ordered_pairs_within_a_block() {
    let fixture = Fixture::new();
    let first = fixture.run(fine);
    fixture.run(|writer| {
        fine(writer);
        // Another case and another replicate share a block number, but pair with nothing.
        add(writer, &trial(2, "flash", "b", 0, json!({})));
        writer.sample(&sample(2, 0, 0, 77)).unwrap();
        add(writer, &trial(3, "flash", "a", 1, json!({})));
        writer.sample(&sample(3, 0, 0, 77)).unwrap();
        let mut bad = sample(1, 9, 9, 70);
        bad.valid = false;
        writer.sample(&bad).unwrap();
        writer.sample(&sample(0, 9, 9, 70)).unwrap();
    });
    let session = fixture.session();
    assert_eq!(one(&session, "SELECT count(*) FROM pairs"), Some(16.0));
    let answer = session
        .sql(&format!(
            "SELECT * FROM pairs WHERE run_id = '{first}' AND baseline_implementation = 'naive' ORDER BY block"
        ))
        .unwrap();
    assert_eq!(texts(&answer, "candidate"), vec![Some("flash/flex/f32/2t".to_owned()); 4]);
    for (block, log_ratio) in floats(&answer, "log_ratio").into_iter().enumerate() {
        let block = block as f64;
        assert_near(log_ratio.unwrap(), ((200.0 + block) / (100.0 + block)).ln(), "log_ratio");
    }
    assert_eq!(one(&session, "SELECT abs(sum(log_ratio)) < 1e-12 FROM pairs"), Some(1.0));
}

#[test]
fn time_is_elapsed_over_iterations() {
    let fixture = Fixture::new();
    fixture.run(|writer| {
        add(writer, &trial(0, "naive", "a", 0, json!({})));
        let mut row = sample(0, 0, 0, 1_001);
        row.iterations = 2;
        writer.sample(&row).unwrap();
    });
    assert_eq!(one(&fixture.session(), "SELECT time_ns FROM results"), Some(500.5));
}

#[test]
fn a_condition_on_the_run_reads_only_its_files() {
    let fixture = Fixture::new();
    let first = fixture.run(fine);
    let second = fixture.journal(fine);
    fixture.run(fine);
    let session = fixture.session();
    let count = |condition: &str| one(&session, &format!("SELECT count(*) FROM samples WHERE {condition}"));
    assert_eq!(count("true"), Some(24.0));
    assert_eq!(count(&format!("run_id = '{first}'")), Some(8.0));
    assert_eq!(count(&format!("run_id = '{second}' AND trial = 1")), Some(4.0));
    assert_eq!(count(&format!("run_id IN ('{first}', '{second}')")), Some(16.0));
    assert_eq!(count("run_id = 'nobody'"), Some(0.0));
    let answer = session.sql(&format!("EXPLAIN SELECT elapsed_ns FROM samples WHERE run_id = '{first}'")).unwrap();
    let plan = texts(&answer, "plan").into_iter().flatten().collect::<String>();
    assert!(plan.contains(&first) && !plan.contains("MemoryExec") && !plan.contains("FilterExec"), "{plan}");
    assert_eq!(plan.matches("samples.parquet").count(), 1, "{plan}");
}
