//! Flipped bits and missing files in a finished run: found, named, left out; the rest answers.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use super::*;
use crate::manifest::Manifest;

#[test]
fn a_flipped_bit_in_any_parquet_file_leaves_out_that_file_alone() {
    let scratch = scratch();
    let whole = run_row();
    finished(&scratch.store, &whole);
    let run = run_row();
    let folder = finished(&scratch.store, &run);
    let store = scratch.store.reader().unwrap();
    let tables: Vec<Table> = store.snapshot().unwrap().parquet.iter().map(|file| file.table).collect();
    assert_eq!(tables.len(), 12, "two runs with rows in six tables");
    for table in &tables[6..] {
        let path = folder.join(table.file_name());
        let bytes = fs::read(&path).unwrap();
        for step in 0..8 {
            let byte = (bytes.len() - 1) * step / 7;
            flip(&path, byte, step);
            let snapshot = store.snapshot().unwrap();
            let name = format!("run_id={}/{table}.parquet", run.run_id);
            assert_eq!(snapshot.damaged.len(), 1, "{table} byte {byte}");
            assert_eq!(snapshot.damaged[0].path, name);
            assert!(snapshot.damaged[0].reason.contains("checksum"));
            assert!(matches!(&snapshot.states[&run.run_id], RunState::Damaged(reason) if reason.contains(&name)));
            assert_eq!(snapshot.states[&whole.run_id], RunState::Finished);
            assert_eq!(snapshot.parquet.len(), 11, "the other files of both runs answer");
            assert!(!snapshot.parquet.iter().any(|file| file.path.as_ref() == name));
            assert_eq!(verify(&store).unwrap(), snapshot.damaged);
            fs::write(&path, &bytes).unwrap();
        }
    }
    assert_eq!(store.snapshot().unwrap().damaged, []);
}

#[test]
fn every_flipped_bit_of_a_manifest_is_found() {
    let scratch = scratch();
    let run = run_row();
    let folder = finished(&scratch.store, &run);
    let path = folder.join("manifest.json");
    let bytes = fs::read(&path).unwrap();
    assert!(Manifest::from_bytes("manifest", &bytes).is_ok());
    for byte in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1 << bit;
            assert!(Manifest::from_bytes("manifest", &flipped).is_err(), "byte {byte} bit {bit}");
        }
    }
    for len in 0..bytes.len() {
        assert!(Manifest::from_bytes("manifest", &bytes[..len]).is_err(), "{len} bytes");
    }
    flip(&path, bytes.len() / 2, 3);
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!(snapshot.damaged.len(), 1);
    assert_eq!(snapshot.damaged[0].path, format!("run_id={}/manifest.json", run.run_id));
    assert!(snapshot.parquet.is_empty(), "without a manifest nothing vouches for the files");
    let entry = scratch.store.reader().unwrap().resolve("latest").unwrap();
    assert!(matches!(entry.state, RunState::Damaged(_)));
    assert!((entry.started_at_ns - run.started_at.timestamp_nanos_opt().unwrap()).abs() < 1_000_000_000, "from the id");
}

#[test]
fn truncated_and_missing_files_are_named() {
    let scratch = scratch();
    let folder = finished(&scratch.store, &run_row());
    let samples = folder.join("samples.parquet");
    let len = fs::metadata(&samples).unwrap().len();
    File::options().write(true).open(&samples).unwrap().set_len(len - 1).unwrap();
    fs::remove_file(folder.join("events.parquet")).unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    let reasons: Vec<&str> = snapshot.damaged.iter().map(|damaged| damaged.reason.as_str()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons.iter().any(|reason| reason.contains("bytes instead of")));
    assert!(reasons.contains(&"it is missing"));
    assert_eq!(count(&snapshot, Table::Trials), 1);
}

#[test]
fn a_manifest_of_a_later_version_is_refused_and_the_rest_answers() {
    let scratch = scratch();
    let old = run_row();
    finished(&scratch.store, &old);
    let run = run_row();
    let path = finished(&scratch.store, &run).join("manifest.json");
    let manifest = Manifest::from_bytes("manifest", &fs::read(&path).unwrap()).unwrap();
    let later = Manifest { schema_version: SCHEMA_VERSION + 1, ..manifest };
    fs::write(&path, later.to_bytes().unwrap()).unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert!(snapshot.damaged[0].reason.contains("update benchbook"), "{}", snapshot.damaged[0]);
    assert_eq!(count(&snapshot, Table::Samples), 10);
}

#[test]
fn a_run_under_another_name_is_not_believed() {
    let scratch = scratch();
    let folder = finished(&scratch.store, &run_row());
    let other = RunRow::new("x").run_id;
    fs::rename(&folder, folder.with_file_name(format!("run_id={other}"))).unwrap();
    fs::create_dir(folder.with_file_name("run_id=nonsense")).unwrap();
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!(snapshot.damaged.len(), 2);
    assert!(snapshot.damaged.iter().any(|damaged| damaged.reason.contains("belongs to run")));
    assert!(snapshot.damaged.iter().any(|damaged| damaged.reason.contains("not a run id")));
    assert!(snapshot.parquet.is_empty());
}

#[test]
fn verify_does_not_believe_what_was_computed_before() {
    let scratch = scratch();
    let folder = finished(&scratch.store, &run_row());
    let samples = folder.join("samples.parquet");
    let old = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3600));
    let age = || File::options().write(true).open(&samples).unwrap().set_times(old).unwrap();
    age();
    let store = scratch.store.reader().unwrap();
    assert_eq!(store.snapshot().unwrap().damaged, []);
    flip(&samples, 100, 0);
    assert_eq!(store.snapshot().unwrap().damaged.len(), 1, "the time stamp tells of the change");
    flip(&samples, 100, 0);
    age();
    assert_eq!(store.snapshot().unwrap().damaged, []);
    flip(&samples, 100, 0);
    age();
    assert_eq!(verify(&store).unwrap().len(), 1, "rot leaves the time stamp as it was");
    assert_eq!(store.snapshot().unwrap().damaged.len(), 1, "and what verify saw is remembered");
}

#[test]
fn a_flipped_bit_in_a_journal_names_it_and_keeps_what_came_before() {
    let scratch = scratch();
    let run = run_row();
    let folder = dead(&scratch.store, &run);
    let journal = folder.join("journal.bbj");
    let len = fs::metadata(&journal).unwrap().len();
    flip(&journal, len as usize - 10, 1);
    let store = scratch.store.reader().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.damaged.len(), 1);
    assert_eq!(snapshot.damaged[0].path, format!("run_id={}/journal.bbj", run.run_id));
    assert!(snapshot.damaged[0].reason.contains("samples"), "{}", snapshot.damaged[0]);
    assert!(matches!(snapshot.states[&run.run_id], RunState::Damaged(_)));
    assert_eq!(count(&snapshot, Table::Trials), 1);
    assert_eq!(count(&snapshot, Table::Samples), 0);
    assert_eq!(store.run_row(&run.run_id).unwrap().suite, "attention");
}
