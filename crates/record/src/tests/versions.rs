//! Stores that hold runs of several versions: each run is read by its own, and what a version lacks is null.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Array;
use arrow::record_batch::RecordBatch;
use benchbook_journal::body_of;
use benchbook_journal::frame::{encode, header_of};
use parquet::arrow::ArrowWriter;

use super::merge::copy_folder;
use super::*;
use crate::manifest::{Manifest, ManifestFile};
use crate::parquet_file::properties;
use crate::place::Place;

/// A check of the only output, whose name version 1 did not record.
fn check() -> CheckRow {
    CheckRow { output: None, max_abs_error: 0.5, max_scaled_error: 0.25, ..check_row(0) }
}

/// Checks as version 1 wrote them.
fn of_version_1(mut checks: RecordBatch) -> RecordBatch {
    let place = checks.schema().index_of("output").unwrap();
    checks.remove_column(place);
    checks
}

/// Writes a run of version 1 that has only a journal; gives its folder.
fn interrupted_in_version_1(store: &LocalStore, run: &RunRow) -> PathBuf {
    let mut bytes = header_of(uuid::Uuid::parse_str(&run.run_id).unwrap(), 1).to_vec();
    let bodies = [
        (Table::Runs, body_of(Table::Runs, &[run]).unwrap()),
        (Table::Trials, body_of(Table::Trials, &[trial_row(0)]).unwrap()),
        (Table::Checks, of_version_1(body_of(Table::Checks, &[check(), check()]).unwrap())),
    ];
    bodies.iter().for_each(|(table, body)| encode(*table, body, &mut bytes).unwrap());
    let folder = store.path().join(format!("run_id={}", run.run_id));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("journal.bbj"), bytes).unwrap();
    folder
}

/// Makes a finished run what version 1 would have left of it.
fn back_to_version_1(folder: &Path) {
    let checks = of_version_1(Place::Local(folder.to_owned()).parquet("checks.parquet").unwrap().remove(0));
    let version = HashMap::from([(VERSION_KEY.to_owned(), "1".to_owned())]);
    let schema = Arc::new(checks.schema().as_ref().clone().with_metadata(version));
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), Some(properties())).unwrap();
    writer.write(&RecordBatch::try_new(schema, checks.columns().to_vec()).unwrap()).unwrap();
    writer.close().unwrap();
    fs::write(folder.join("checks.parquet"), &bytes).unwrap();
    let path = folder.join("manifest.json");
    let mut manifest = Manifest::from_bytes("manifest", &fs::read(&path).unwrap()).unwrap();
    manifest.schema_version = 1;
    for file in manifest.files.iter_mut().filter(|file| file.table == "checks") {
        (file.size_bytes, file.blake3) = (bytes.len() as u64, blake3::hash(&bytes).to_hex().to_string());
    }
    fs::write(&path, manifest.to_bytes().unwrap()).unwrap();
}

/// Writes a finished run with one check.
fn checked(store: &LocalStore, run: &RunRow) -> PathBuf {
    let mut writer = RunWriter::create(store, run).unwrap();
    writer.trial(&trial_row(0)).unwrap();
    writer.check(&check()).unwrap();
    writer.outcome(&outcome_row(None, Status::Ok)).unwrap();
    writer.finish(to_parquet).unwrap()
}

#[test]
fn a_journal_of_version_1_is_read_and_repaired_beside_runs_of_today() {
    let scratch = scratch();
    finished(&scratch.store, &run_row());
    let old = run_row();
    let folder = interrupted_in_version_1(&scratch.store, &old);
    let store = scratch.store.reader().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.damaged, []);
    assert_eq!(count(&snapshot, Table::Checks), 3);
    let checks = &snapshot.batches[&Table::Checks][0];
    assert_eq!(checks.schema(), Table::Checks.schema());
    assert_eq!(checks.column_by_name("output").unwrap().null_count(), 2);

    assert_eq!(repair(&scratch.store).unwrap().len(), 1);
    assert_eq!(verify(&store).unwrap(), []);
    let checks = Place::Local(folder.clone()).parquet("checks.parquet").unwrap();
    assert_eq!(rows_of::<CheckRow>(&checks[0]).unwrap(), [check(), check()]);
    let manifest = Manifest::from_bytes("manifest", &fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest.schema_version, SCHEMA_VERSION, "its files are of today");
}

#[test]
fn a_journal_has_the_columns_of_its_version_and_no_others() {
    let scratch = scratch();
    let run = run_row();
    let folder = interrupted_in_version_1(&scratch.store, &run);
    let bytes = fs::read(folder.join("journal.bbj")).unwrap();
    let mut today = benchbook_journal::frame::header(uuid::Uuid::parse_str(&run.run_id).unwrap()).to_vec();
    today.extend_from_slice(&bytes[benchbook_journal::frame::HEADER_LEN..]);
    fs::write(folder.join("journal.bbj"), today).unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!(count(&snapshot, Table::Trials), 1, "what comes before is read");
    assert!(snapshot.damaged[0].reason.contains("its columns are not those"), "{}", snapshot.damaged[0]);
}

#[test]
fn steps_are_of_runs_that_can_have_them() {
    let (mixed, other) = (scratch(), scratch());
    let (old, new) = (run_row(), run_row());
    let folder = interrupted_in_version_1(&mixed.store, &old);
    let mut writer = RunWriter::create(&mixed.store, &new).unwrap();
    writer.step(&step_row(0, 0)).unwrap();
    writer.step_value(&step_value_row(0, 2.5)).unwrap();
    writer.flush().unwrap();
    copy_folder(writer.path(), &other.store);
    drop(writer);
    let store = mixed.store.reader().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.damaged, [], "version 1 lacks nothing");
    assert_eq!((count(&snapshot, Table::Steps), count(&snapshot, Table::StepValues)), (1, 1));
    assert_eq!(repair(&mixed.store).unwrap().len(), 2);
    assert_eq!(verify(&store).unwrap(), []);
    assert!(!folder.join("steps.parquet").exists());
    let merged = merge(&other.store.reader().unwrap(), &mixed.store).unwrap();
    assert_eq!((merged.copied, merged.identical), (0, 1), "a journal with steps and its Parquet files are one run");
}

#[test]
fn a_table_that_came_later_is_none_of_version_1() {
    let scratch = scratch();
    let run = run_row();
    let journal = interrupted_in_version_1(&scratch.store, &run).join("journal.bbj");
    let mut bytes = fs::read(&journal).unwrap();
    encode(Table::Steps, &body_of(Table::Steps, &[step_row(0, 0)]).unwrap(), &mut bytes).unwrap();
    fs::write(&journal, bytes).unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!((count(&snapshot, Table::Checks), count(&snapshot, Table::Steps)), (2, 0));
    assert!(snapshot.damaged[0].reason.contains("schema version 1 has no such table"), "{}", snapshot.damaged[0]);

    let file = ManifestFile {
        table: "steps".into(),
        name: "steps.parquet".into(),
        rows: 1,
        size_bytes: 1,
        blake3: String::new(),
    };
    let read = |schema_version| {
        let files = vec![file.clone()];
        let manifest = Manifest { schema_version, run_id: run.run_id.clone(), files, ..Manifest::default() };
        Manifest::from_bytes("manifest", &manifest.to_bytes().unwrap())
    };
    let error = read(1).unwrap_err().to_string();
    assert!(error.contains("a strange file `steps.parquet`"), "{error}");
    assert!(read(2).is_ok());
}

#[test]
fn the_same_run_in_two_versions_is_the_same_run() {
    let (a, b) = (scratch(), scratch());
    let run = run_row();
    let folder = checked(&a.store, &run);
    copy_folder(&folder, &b.store);
    back_to_version_1(&folder);
    let old = a.store.reader().unwrap();
    assert_eq!(verify(&old).unwrap(), []);
    let merged = merge(&old, &b.store).unwrap();
    assert_eq!((merged.copied, merged.identical), (0, 1));
    fs::remove_dir_all(b.store.path().join(folder.file_name().unwrap())).unwrap();
    assert_eq!(merge(&old, &b.store).unwrap().copied, 1);
    let copied = b.store.reader().unwrap();
    assert_eq!(verify(&copied).unwrap(), []);
    assert_eq!(count(&copied.snapshot().unwrap(), Table::Checks), 1);
}
