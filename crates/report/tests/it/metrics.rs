//! Comparisons by a metric other than time, as people read them.

use benchbook_query::{Session, TIME};
use benchbook_record::{
    CheckRow, LocalStore, MeasureRow, Phase, Provenance, Readable, RunRow, RunWriter, TrialRow, to_parquet,
};
use benchbook_report::{
    By, Comparison, comparison_table, counts, gated, metrics, paired_metrics, undecided, within_by, within_metric,
};
use serde_json::json;
use tempfile::TempDir;

const SIDES: [(&str, f64, f64); 2] = [("naive", 2_097_152.0, 3.0), ("flash", 1_048_576.0, 4.0)];

/// Two variants in so many replicates, with their memory, which `flash` has half of, and how often they allocate.
fn store(folder: &TempDir, replicates: i64) -> (LocalStore, String) {
    let store = LocalStore::create_or_open(folder.path().join("results")).unwrap();
    let mut writer = RunWriter::create(&store, &RunRow::new("test")).unwrap();
    let mut number = 0;
    for replicate in 0..replicates {
        for (name, bytes, allocations) in SIDES {
            trial(&mut writer, number, name, replicate);
            measure(&mut writer, number, "peak_added_bytes", bytes, "bytes");
            measure(&mut writer, number, "allocations", allocations, "count");
            number += 1;
        }
    }
    let run_id = writer.run_id().to_owned();
    writer.finish(to_parquet).unwrap();
    (store, run_id)
}

/// Writes a trial that passed both of its checks.
fn trial(writer: &mut RunWriter, number: i64, name: &str, replicate: i64) {
    let row: TrialRow = serde_json::from_value(json!({
        "trial": number, "workload": "attention", "case_name": "s64", "params": {},
        "variant": format!("{name}/flex/f32/2t"), "implementation": name, "device": "flex", "dtype": "f32",
        "threads": 2, "replicate": replicate, "isolation": "process", "input_seed": 7, "cache": "hot",
    }))
    .unwrap();
    writer.trial(&row).unwrap();
    for phase in [Phase::Before, Phase::After] {
        let check = CheckRow {
            trial: number,
            phase,
            output: None,
            max_abs_error: 0.0,
            max_scaled_error: 0.0,
            tolerance: 1.0,
            passed: true,
            rows_checked: 1,
        };
        writer.check(&check).unwrap();
    }
}

fn measure(writer: &mut RunWriter, trial: i64, name: &str, value: f64, unit: &str) {
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

fn compared(session: &Session, run_id: &str, metric: &str) -> Comparison {
    within_metric(session, run_id, By::Implementation, None, metric).unwrap()
}

#[test]
fn a_metric_is_compared_in_its_unit_and_its_words() {
    let folder = TempDir::new().unwrap();
    let (store, run_id) = store(&folder, 5);
    let session = Session::open(&store.reader().unwrap()).unwrap();
    let memory = compared(&session, &run_id, "peak_added_bytes");
    for part in
        ["peak_added_bytes (bytes)", "paired by replicate", "baseline naive", "less, which is better", "within 1 %"]
    {
        assert!(memory.note.contains(part), "{part}: {}", memory.note);
    }
    let row = memory.cells.rows[0].join(" | ");
    for part in ["2.00 MiB | 1.00 MiB | 2.000× | 2.000 – 2.000 | better", "0.0 %", "across replicates"] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert_eq!(counts(&memory.answer), "1 comparison: 1 better, 0 worse, 0 equivalent, 0 undecided");
    assert!(gated(&memory.answer, "better") && !undecided(&memory.answer));
    let text = comparison_table(&memory, None);
    assert!(text.contains("▲ better") && !text.contains("shortest"), "{text}");

    // Nobody has said whether fewer allocations are better, so a report of all metrics leaves them out.
    let allocations = compared(&session, &run_id, "allocations");
    assert!(allocations.note.contains("candidate has less;"), "{}", allocations.note);
    assert_eq!(counts(&allocations.answer), "1 comparison: 0 less, 1 more, 0 equivalent, 0 undecided");
    let stated = metrics(&paired_metrics(&session, &run_id, "naive").unwrap());
    assert_eq!(stated.rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["peak_added_bytes"]);
}

#[test]
fn a_metric_that_a_run_lacks_is_refused_with_those_that_it_has() {
    let folder = TempDir::new().unwrap();
    let (store, run_id) = store(&folder, 4);
    let session = Session::open(&store.reader().unwrap()).unwrap();
    let error =
        |metric: &str| within_metric(&session, &run_id, By::Implementation, None, metric).unwrap_err().to_string();
    let near = error("peek_added_bytes");
    assert!(near.contains("did you mean `peak_added_bytes`?"), "{near}");
    for told in [near, error("all")] {
        assert!(told.ends_with("it has time, allocations, peak_added_bytes"), "{told}");
    }
    // By time it is the comparison that there always was: here there is no sample.
    let [by_time, by_name] =
        [within_by(&session, &run_id, By::Implementation, None).unwrap(), compared(&session, &run_id, TIME)];
    assert_eq!((by_time.note, &by_time.cells.rows), (by_name.note, &by_name.cells.rows));
    let few = compared(&session, &run_id, "peak_added_bytes");
    assert!(undecided(&few.answer) && few.cells.rows[0].join(" | ").contains("few replicates"), "four decide nothing");
}
