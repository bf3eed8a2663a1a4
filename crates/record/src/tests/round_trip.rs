//! Rows to a store and back, in every state of a run.

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;

use super::*;

fn table_of(store: &Store, table: Table) -> RecordBatch {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.damaged, []);
    let mut batches = snapshot.batches.get(&table).cloned().unwrap_or_default();
    for file in snapshot.parquet.iter().filter(|file| file.table == table) {
        for batch in store.place().parquet(file.path.as_ref()).unwrap() {
            assert_eq!(batch.schema(), table.schema(), "the schema in the file has its units and its version");
            batches.push(batch);
        }
    }
    concat_batches(&table.schema(), &batches).unwrap()
}

#[test]
fn the_rows_of_a_journal_are_those_that_were_written() {
    let scratch = scratch();
    let mut writer = RunWriter::create(&scratch.store, &run_row()).unwrap();
    fill(&mut writer, 10).unwrap();
    let folder = writer.finish(as_journal).unwrap();
    let outcomes: Vec<OutcomeRow> = rows_in(&folder, Table::Outcomes).unwrap();
    assert_eq!(outcomes, [outcome_row(Some(0), Status::Ok), outcome_row(None, Status::Ok)]);
    assert!(rows_in::<TelemetryRow>(&folder, Table::Telemetry).unwrap().is_empty(), "there are none");
    let (journal, other) = (folder.join("journal.bbj"), scratch.store.path().join("run_id=other"));
    let bytes = fs::read(&journal).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(other.join("journal.bbj"), &bytes).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 3]).unwrap();
    for (folder, part) in [(&folder, "its last frame is torn"), (&other, "it belongs to run")] {
        let error = rows_in::<OutcomeRow>(folder, Table::Outcomes).unwrap_err().to_string();
        assert!(error.contains("journal.bbj") && error.contains(part), "{error}");
    }
}

#[test]
fn the_journal_and_the_parquet_files_hold_the_same_rows() {
    let scratch = scratch();
    let run = run_row();
    let mut writer = RunWriter::create(&scratch.store, &run).unwrap();
    fill(&mut writer, 100).unwrap();
    writer
        .telemetry(&TelemetryRow {
            at_ns: 3,
            device: None,
            source: "sysfs".into(),
            name: "temperature".into(),
            value: 61.5,
            unit: "celsius".into(),
        })
        .unwrap();
    writer
        .measure(&MeasureRow {
            trial: 0,
            sample: None,
            device: None,
            name: "peak_memory".into(),
            value: 1e8,
            unit: "bytes".into(),
            provenance: Provenance::Measured,
        })
        .unwrap();
    for step in 0..3 {
        writer.step(&step_row(0, step)).unwrap();
    }
    writer.step_value(&step_value_row(0, 2.5)).unwrap();
    writer.step_value(&step_value_row(1, f64::NAN)).unwrap();
    writer.flush().unwrap();
    let store = scratch.store.reader().unwrap();
    let live: Vec<RecordBatch> = Table::ALL.map(|table| table_of(&store, table)).into();
    let folder = writer.finish(to_parquet).unwrap();
    assert!(!folder.join("journal.bbj").exists());
    let ended: Vec<RecordBatch> = Table::ALL.map(|table| table_of(&store, table)).into();
    assert_eq!(live, ended);
    assert!(ended.iter().all(|batch| batch.num_rows() > 0));

    let samples = &ended[Table::Samples as usize];
    assert_eq!(samples.num_rows(), 100);
    let elapsed = samples.column_by_name("elapsed_ns").unwrap().as_primitive::<Int64Type>();
    assert_eq!(elapsed.values().iter().sum::<i64>(), (0..100).map(|sample| 1_000 + sample).sum::<i64>());
    assert_eq!(samples.column_by_name("cpu_user_ns").unwrap().null_count(), 50);
    assert_eq!(samples.column_by_name("invalid_reason").unwrap().null_count(), 80);
    assert!(samples.column(0).as_string::<i32>().iter().all(|id| id == Some(run.run_id.as_str())));

    let checks = &ended[Table::Checks as usize];
    let float = |name: &str| checks.column_by_name(name).unwrap().as_primitive::<Float64Type>().value(0);
    assert!(float("max_scaled_error").is_nan() && float("max_abs_error").is_infinite());

    let steps: Vec<StepRow> = rows_of(&ended[Table::Steps as usize]).unwrap();
    assert_eq!(steps, [step_row(0, 0), step_row(0, 1), step_row(0, 2)]);
    let values = ended[Table::StepValues as usize].column_by_name("value").unwrap().as_primitive::<Float64Type>();
    assert!(values.value(0) == 2.5 && values.value(1).is_nan(), "a loss that is lost is told");

    let trials: Vec<TrialRow> = rows_of(&ended[Table::Trials as usize]).unwrap();
    assert_eq!(trials, [trial_row(0)]);
    let outcomes: Vec<OutcomeRow> = rows_of(&ended[Table::Outcomes as usize]).unwrap();
    assert_eq!(outcomes, [outcome_row(Some(0), Status::Ok), outcome_row(None, Status::Ok)]);
}

#[test]
fn a_run_comes_back_to_the_nanosecond() {
    let scratch = scratch();
    let run = run_row();
    finished(&scratch.store, &run);
    let back = scratch.store.reader().unwrap().run_row(&run.run_id).unwrap();
    assert_eq!(back, RunRow { environment_id: Some(run.environment_id()), ..run });
}

#[test]
fn frames_of_many_samples_become_one_file() {
    let scratch = scratch();
    let mut writer = RunWriter::create(&scratch.store, &run_row()).unwrap();
    writer.trial(&trial_row(0)).unwrap();
    let samples = 2 * benchbook_journal::FRAME_ROWS as i64 + 17;
    for sample in 0..samples {
        writer.sample(&sample_row(0, sample)).unwrap();
    }
    let journal = writer.path().join("journal.bbj");
    assert!(std::fs::metadata(&journal).unwrap().len() > 2 * 65_536 * 70, "two full frames went out by themselves");
    writer.finish(to_parquet).unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!(count(&snapshot, Table::Samples), samples as u64);
    let trials = table_of(&scratch.store.reader().unwrap(), Table::Trials);
    assert_eq!(trials.num_rows(), 1);
}

#[test]
fn steps_go_out_by_frames_and_are_read_of_the_run_that_has_them() {
    let scratch = scratch();
    let without = finished(&scratch.store, &run_row());
    let mut writer = RunWriter::create(&scratch.store, &run_row()).unwrap();
    writer.trial(&trial_row(0)).unwrap();
    let rows = benchbook_journal::FRAME_ROWS as i64 + 3;
    let journal = writer.path().join("journal.bbj");
    let size = || std::fs::metadata(&journal).unwrap().len();
    let before = size();
    (0..rows).for_each(|step| writer.step(&step_row(0, step)).unwrap());
    let stepped = size();
    assert!(stepped > before + 65_536 * 40, "a full frame went out by itself");
    (0..rows).for_each(|step| writer.step_value(&step_value_row(step, step as f64)).unwrap());
    assert!(size() > stepped + 65_536 * 40, "and so did one of their values");
    writer.finish(to_parquet).unwrap();
    let store = scratch.store.reader().unwrap();
    let steps: Vec<StepRow> = rows_of(&table_of(&store, Table::Steps)).unwrap();
    assert_eq!((steps.len() as i64, steps[65_536]), (rows, step_row(0, 65_536)));
    let values: Vec<StepValueRow> = rows_of(&table_of(&store, Table::StepValues)).unwrap();
    assert_eq!((values.len() as i64, &values[7]), (rows, &step_value_row(7, 7.0)));
    assert!(!without.join("steps.parquet").exists());
    assert_eq!(verify(&store).unwrap(), []);
    assert_eq!(count(&store.snapshot().unwrap(), Table::Steps), rows as u64);
}

#[test]
fn nothing_is_written_before_a_second_has_passed_unless_asked() {
    let scratch = scratch();
    let mut writer = RunWriter::create(&scratch.store, &run_row()).unwrap();
    let journal = writer.path().join("journal.bbj");
    let size = || std::fs::metadata(&journal).unwrap().len();
    let before = size();
    assert!(before > 0, "the row of the run is written first of all");
    writer.sample(&sample_row(0, 0)).unwrap();
    let early = std::time::Instant::now();
    writer.tick().unwrap();
    if early.elapsed().as_millis() < 100 {
        assert_eq!(size(), before);
    }
    writer.flush().unwrap();
    assert!(size() > before);
}
