//! Names in a store are text, whatever they hold.

use benchbook_query::Session;
use benchbook_record::{CheckRow, LocalStore, Phase, RunRow, RunWriter, SampleRow, TrialRow};
use benchbook_show::scaling_figures;
use serde_json::json;

const HOSTILE: &str = "size\") as \"it's";

/// A trial of each size with one sample.
fn write(writer: &mut RunWriter) {
    for size in 1..=3 {
        let row: TrialRow = serde_json::from_value(json!({
            "trial": size, "workload": "attention", "case_name": format!("s{size}"), "params": {HOSTILE: {"int": size}},
            "variant": "naive/flex/f32/2t", "implementation": "naive", "device": "flex", "dtype": "f32", "threads": 2,
            "replicate": 0, "isolation": "process", "input_seed": 7, "cache": "hot",
        }))
        .unwrap();
        writer.trial(&row).unwrap();
        for phase in [Phase::Before, Phase::After] {
            let (max_abs_error, max_scaled_error, tolerance) = (0.0, 0.0, 1.0);
            let (passed, rows_checked) = (true, 1);
            let check =
                CheckRow { trial: size, phase, max_abs_error, max_scaled_error, tolerance, passed, rows_checked };
            writer.check(&check).unwrap();
        }
        let row = SampleRow {
            trial: size,
            sample: 0,
            block: size,
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
}

#[test]
fn the_name_of_a_parameter_is_never_executed() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let mut writer = RunWriter::create(&store, &RunRow::new("test")).unwrap();
    let run_id = writer.run_id().to_owned();
    write(&mut writer);
    writer.finish().unwrap();
    let session = Session::open(&store.reader().unwrap()).unwrap();
    let figures = scaling_figures(&session, &run_id).unwrap();
    assert!(figures.len() == 1 && figures[0].title().contains(HOSTILE), "{:?}", figures.first().map(|one| one.title()));
}
