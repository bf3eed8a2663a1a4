//! Figures stand in the order of the plan.

use benchbook_query::Session;
use benchbook_record::{CheckRow, LocalStore, Phase, RunRow, RunWriter, SampleRow, TrialRow};
use benchbook_show::scaling_figures;
use serde_json::json;

/// A trial with one sample.
fn write(writer: &mut RunWriter, number: i64, heads: i64, size: i64) {
    let row: TrialRow = serde_json::from_value(json!({
        "trial": number, "workload": "attention", "case_name": format!("h{heads} s{size}"),
        "params": {"heads": {"int": heads}, "size": {"int": size}},
        "variant": "naive/flex/f32/2t", "implementation": "naive", "device": "flex", "dtype": "f32", "threads": 2,
        "replicate": 0, "isolation": "process", "input_seed": 7, "cache": "hot",
    }))
    .unwrap();
    writer.trial(&row).unwrap();
    for phase in [Phase::Before, Phase::After] {
        let (max_abs_error, max_scaled_error, tolerance) = (0.0, 0.0, 1.0);
        let (trial, passed, rows_checked) = (number, true, 1);
        let check = CheckRow { trial, phase, max_abs_error, max_scaled_error, tolerance, passed, rows_checked };
        writer.check(&check).unwrap();
    }
    let row = SampleRow {
        trial: number,
        sample: 0,
        block: number,
        position: 0,
        iterations: 1,
        elapsed_ns: 1_000 * size,
        started_ns: 0,
        cpu_user_ns: None,
        cpu_system_ns: None,
        valid: true,
        invalid_reason: None,
    };
    writer.sample(&row).unwrap();
}

#[test]
fn charts_of_a_sweep_stand_in_the_order_of_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let mut writer = RunWriter::create(&store, &RunRow::new("test")).unwrap();
    let run_id = writer.run_id().to_owned();
    let mut number = 0;
    for heads in [64, 1024] {
        for size in 1..=3 {
            write(&mut writer, number, heads, size);
            number += 1;
        }
    }
    writer.finish().unwrap();
    let session = Session::open(&store.reader().unwrap()).unwrap();
    let figures = scaling_figures(&session, &run_id).unwrap();
    let titles: Vec<&str> = figures.iter().map(|figure| figure.title()).collect();
    assert_eq!(titles, ["attention over size (heads 64)", "attention over size (heads 1024)"]);
}
