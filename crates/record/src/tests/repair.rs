//! Repair: dead runs become Parquet, live ones are left alone, twice is once.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use super::*;

#[test]
fn a_dead_journal_becomes_parquet_once() {
    let scratch = scratch();
    let run = run_row();
    let folder = dead(&scratch.store, &run);
    let repaired = repair(&scratch.store).unwrap();
    assert_eq!(repaired.len(), 1);
    assert_eq!((repaired[0].run_id.as_str(), &repaired[0].left_out), (run.run_id.as_str(), &None));
    assert!(repaired[0].action.contains("12 rows"), "{}", repaired[0].action);
    assert!(!folder.join("journal.bbj").exists());
    let store = scratch.store.reader().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.states[&run.run_id], RunState::Interrupted);
    assert_eq!((count(&snapshot, Table::Samples), snapshot.batches.len()), (10, 0));
    assert_eq!(repair(&scratch.store).unwrap(), []);
    assert_eq!(verify(&store).unwrap(), []);
    assert_eq!(store.run_row(&run.run_id).unwrap().tags, run.tags);
}

#[test]
fn a_live_run_is_never_touched() {
    let scratch = scratch();
    let mut writer = RunWriter::create(&scratch.store, &run_row()).unwrap();
    fill(&mut writer, 3).unwrap();
    assert_eq!(repair(&scratch.store).unwrap(), []);
    writer.sample(&sample_row(0, 3)).unwrap();
    writer.finish(to_parquet).unwrap();
    assert_eq!(count(&scratch.store.reader().unwrap().snapshot().unwrap(), Table::Samples), 4);
    assert_eq!(repair(&scratch.store).unwrap(), []);
}

#[test]
fn a_crash_between_parquet_and_manifest_loses_nothing() {
    let scratch = scratch();
    let run = run_row();
    let folder = dead(&scratch.store, &run);
    fs::write(folder.join("samples.parquet"), b"PAR1 half a file").unwrap();
    fs::write(folder.join("manifest.json.new"), b"{").unwrap();
    let store = scratch.store.reader().unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!((snapshot.parquet.len(), count(&snapshot, Table::Samples)), (0, 10), "the journal answers");
    assert!(verify(&store).unwrap().iter().any(|found| found.path.ends_with("samples.parquet")));
    assert_eq!(repair(&scratch.store).unwrap().len(), 1);
    assert_eq!(verify(&store).unwrap(), []);
    assert_eq!(count(&store.snapshot().unwrap(), Table::Samples), 10);
}

#[test]
fn a_crash_between_manifest_and_the_end_of_the_journal_counts_once() {
    let scratch = scratch();
    let run = run_row();
    let folder = dead(&scratch.store, &run);
    let journal = fs::read(folder.join("journal.bbj")).unwrap();
    repair(&scratch.store).unwrap();
    fs::write(folder.join("journal.bbj"), &journal).unwrap();
    let store = scratch.store.reader().unwrap();
    assert_eq!(count(&store.snapshot().unwrap(), Table::Samples), 10);
    assert_eq!(verify(&store).unwrap().len(), 1);

    // With the journal still there, even a damaged Parquet file can be made again.
    flip(&folder.join("samples.parquet"), 60, 2);
    assert_eq!(count(&store.snapshot().unwrap(), Table::Samples), 0);
    assert_eq!(repair(&scratch.store).unwrap().len(), 1);
    assert_eq!(count(&store.snapshot().unwrap(), Table::Samples), 10);

    fs::write(folder.join("journal.bbj"), &journal).unwrap();
    let repaired = repair(&scratch.store).unwrap();
    assert!(repaired[0].action.contains("removed the journal"), "{}", repaired[0].action);
    assert_eq!(repair(&scratch.store).unwrap(), []);
    assert_eq!(verify(&store).unwrap(), []);

    fs::write(folder.join("journal.bbj"), &journal).unwrap();
    flip(&folder.join("manifest.json"), 20, 0);
    let snapshot = store.snapshot().unwrap();
    assert_eq!((count(&snapshot, Table::Samples), snapshot.damaged.len()), (10, 1), "the journal has it all");
    assert_eq!(repair(&scratch.store).unwrap().len(), 1);
    assert_eq!(verify(&store).unwrap(), []);
}

#[test]
fn a_journal_damaged_in_the_middle_is_kept_and_stays_named() {
    let scratch = scratch();
    let run = run_row();
    let folder = dead(&scratch.store, &run);
    let journal = folder.join("journal.bbj");
    flip(&journal, fs::metadata(&journal).unwrap().len() as usize - 10, 1);
    let repaired = repair(&scratch.store).unwrap();
    assert!(repaired[0].left_out.as_ref().unwrap().contains("checksum"));
    assert!(folder.join("journal.bbj.damaged").exists());
    let snapshot = scratch.store.reader().unwrap().snapshot().unwrap();
    assert_eq!((count(&snapshot, Table::Trials), snapshot.damaged.len()), (1, 1));
    assert!(matches!(snapshot.states[&run.run_id], RunState::Damaged(_)));
    assert_eq!(repair(&scratch.store).unwrap(), []);
}

#[test]
fn a_journal_without_a_usable_header_is_left_for_a_person() {
    let scratch = scratch();
    let folder = dead(&scratch.store, &run_row());
    flip(&folder.join("journal.bbj"), 9, 0);
    let before = fs::read(folder.join("journal.bbj")).unwrap();
    assert_eq!(repair(&scratch.store).unwrap(), []);
    assert_eq!(fs::read(folder.join("journal.bbj")).unwrap(), before);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(verify(&scratch.store.reader().unwrap()).unwrap().len(), 1);
}

#[test]
fn a_run_that_never_began_is_removed_when_it_is_old() {
    let scratch = scratch();
    let staging = scratch.store.path().join(".new-something");
    fs::create_dir(&staging).unwrap();
    fs::write(staging.join("journal.bbj"), b"x").unwrap();
    assert_eq!(repair(&scratch.store).unwrap(), [], "someone may be making it");
    let old = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3600));
    File::open(&staging).unwrap().set_times(old).unwrap();
    let lock = File::open(staging.join("journal.bbj")).unwrap();
    lock.lock().unwrap();
    assert_eq!(repair(&scratch.store).unwrap(), [], "someone is making it, slowly");
    drop(lock);
    let store = scratch.store.reader().unwrap();
    assert_eq!(verify(&store).unwrap().len(), 1);
    assert_eq!(repair(&scratch.store).unwrap().len(), 1);
    assert!(!staging.exists());
    assert_eq!(verify(&store).unwrap(), []);
}
