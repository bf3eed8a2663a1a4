//! Figures of a sweep: in the order of the plan, with names as text whatever they hold.

use benchbook_query::Session;
use benchbook_record::{CheckRow, LocalStore, Phase, Readable, RunRow, RunWriter, SampleRow, TrialRow, to_parquet};
use benchbook_report::scaling_figures;
use serde_json::{Value, json};

/// A trial with one sample of so many microseconds.
fn write(writer: &mut RunWriter, number: i64, params: &Value, micros: i64) {
    let row: TrialRow = serde_json::from_value(json!({
        "trial": number, "workload": "attention", "case_name": format!("case {number}"), "params": params,
        "variant": "naive/flex/f32/2t", "implementation": "naive", "device": "flex", "dtype": "f32", "threads": 2,
        "replicate": 0, "isolation": "process", "input_seed": 7, "cache": "hot",
    }))
    .unwrap();
    writer.trial(&row).unwrap();
    for phase in [Phase::Before, Phase::After] {
        let (max_abs_error, max_scaled_error, tolerance) = (0.0, 0.0, 1.0);
        let (trial, output, passed, rows_checked) = (number, None, true, 1);
        let check = CheckRow { trial, phase, output, max_abs_error, max_scaled_error, tolerance, passed, rows_checked };
        writer.check(&check).unwrap();
    }
    let row = SampleRow {
        trial: number,
        sample: 0,
        block: number,
        position: 0,
        iterations: 1,
        elapsed_ns: 1_000 * micros,
        started_ns: 0,
        cpu_user_ns: None,
        cpu_system_ns: None,
        valid: true,
        invalid_reason: None,
    };
    writer.sample(&row).unwrap();
}

/// The titles of the figures of a run with a trial for each of these parameters and times.
fn titles(trials: &[(Value, i64)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let mut writer = RunWriter::create(&store, &RunRow::new("test")).unwrap();
    let run_id = writer.run_id().to_owned();
    for (number, (params, micros)) in (0..).zip(trials) {
        write(&mut writer, number, params, *micros);
    }
    writer.finish(to_parquet).unwrap();
    let session = Session::open(&store.reader().unwrap()).unwrap();
    let figures = scaling_figures(&session, &run_id).unwrap();
    figures.iter().map(|figure| figure.title().to_owned()).collect()
}

#[test]
fn charts_of_a_sweep_stand_in_the_order_of_the_plan() {
    let sweep = |heads: i64| (1..=3).map(move |size| (json!({"heads": {"int": heads}, "size": {"int": size}}), size));
    let trials: Vec<(Value, i64)> = [64, 1024].into_iter().flat_map(sweep).collect();
    assert_eq!(titles(&trials), ["attention over size (heads 64)", "attention over size (heads 1024)"]);
}

#[test]
fn the_name_of_a_parameter_is_never_executed() {
    let hostile = "size\") as \"it's";
    let trials: Vec<(Value, i64)> = (1..=3).map(|size| (json!({hostile: {"int": size}}), size)).collect();
    let titles = titles(&trials);
    assert!(titles.len() == 1 && titles[0].contains(hostile), "{titles:?}");
}
